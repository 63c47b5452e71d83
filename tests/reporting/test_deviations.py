"""Known deviations as issues."""

from dataclasses import replace

from reports import SMALL

import refdot as rd
from refdot.cases.case import DotCase, Operand
from refdot.pytensor.programs.deviations import PROGRAM_DEVIATIONS
from refdot.pytensor.programs.target import PyTensorProgramTarget
from refdot.reporting.deviations import deviation_markdown, finding_of_example
from refdot.targets.callable import CallableTarget
from refdot.targets.mismatch import Deviation


def doubled(x, y, dim=None):
    value = rd.dot(x, y, dim)
    return rd.NamedTensor(2 * value.data, value.dims)


def test_deviation_as_an_issue() -> None:
    deviation = Deviation(
        "twice-as-much",
        "Everything is doubled.",
        ("R6",),
        ("wrong-value",),
        ">=1",
        (),
        lambda mismatch, outcome: True,
        DotCase(Operand((), ()), Operand((), ())),
        "`doubled` multiplies by 2.",
        "https://example.org/1",
    )
    target = CallableTarget(doubled, "tests:doubled", deviations=(deviation,))
    text = deviation_markdown(deviation, target)
    head, rest = text.split("```text\n")
    assert head == (
        "## twice-as-much\n\n"
        "**Everything is doubled.** "
        "Breaks R6 (wrong-value) on every backend, tests:doubled >=1.\n\n"
        "`doubled` multiplies by 2.\n\n"
        "Upstream: <https://example.org/1>\n\n"
    )
    shown, script = rest.split("```\n\n<details><summary>Script</summary>\n\n```python\n")
    assert shown == "dot(float64(), float64(), dim=None)\nexpected  24.0\ngot       48.0\n"
    assert script.endswith("sys.exit(1 if mismatches else 0)\n```\n\n</details>\n")


def test_deviation_of_an_absent_backend_is_not_run() -> None:
    deviation = Deviation(
        "a-b", "A.", ("R6",), ("wrong-value",), ">=1", ("gpu",), lambda *_: True, SMALL, "B."
    )
    deviation = replace(deviation, lowerings=("fast",))
    text = deviation_markdown(deviation, CallableTarget(doubled, "tests:doubled"))
    assert text == (
        "## a-b\n\n**A.** Breaks R6 (wrong-value) on gpu with the lowering fast, "
        "tests:doubled >=1.\n\nB.\n\n"
        f"```text\n{SMALL}\n```\n"
    )


def test_the_example_of_a_deviation_of_an_absent_backend_has_no_finding() -> None:
    deviation = next(each for each in PROGRAM_DEVIATIONS if each.id == "softmax-overflows")
    target = PyTensorProgramTarget()
    assert finding_of_example(replace(deviation, backends=("gpu",)), target) is None
    assert finding_of_example(replace(deviation, id="another"), target) is None
