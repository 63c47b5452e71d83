"""Assertions and strategies for tests of dots, of programs and of regexes for errors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from refdot import check
from refdot.cases.case import DimArgument, DotCase, Operand
from refdot.cases.strategies import dim_arguments, dot_cases
from refdot.judging.comparison import judge_answer
from refdot.lowering import Dim, dim_set
from refdot.messages.regex import check_pattern, judge
from refdot.messages.scenarios import DEFAULT_SCENARIOS
from refdot.messages.suggestion import suggest_pattern
from refdot.messages.survey import Survey, survey
from refdot.programs.case import ProgramCase
from refdot.programs.estimates import Estimate
from refdot.programs.interpretation import interpret
from refdot.programs.judgement import differences
from refdot.programs.named import named_program
from refdot.programs.notation import program as read_program
from refdot.programs.program import Program
from refdot.programs.random_programs import program_at
from refdot.programs.sharpening import sharpened
from refdot.programs.shrinking import shrink_program
from refdot.reporting.messages import plain_text, verdict_lines
from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Target
from refdot.targets.registry import find_target
from refdot.tensor import NamedTensor

__all__ = [
    "assert_dot_matches",
    "assert_error_pattern",
    "check_dot",
    "check_program",
    "check_programs",
    "dim_arguments",
    "dot_cases",
    "mismatch_pattern",
]

_AnyTarget: TypeAlias = str | Target | Callable[..., Any]


def check_dot(
    fn: Callable[..., Any], cases: int = 200, gradients: bool = False, seed: int = 0
) -> None:
    """Judge a function on random cases, valid and invalid.

    Parameters
    ----------
    fn : callable
        `fn(x: NamedTensor, y: NamedTensor, dim) -> NamedTensor`. For invalid input it must raise
        a `ValueError` or `TypeError` that names the dim.
    cases : int, optional
        The number of distinct cases.
    gradients : bool, optional
        Whether to judge the gradients `(x_bar, y_bar)` that `fn.vjp(x, y, cotangent, dim)`
        returns or, without that attribute, those that the values of `fn` imply.
    seed : int, optional
        The same seed generates the same cases.

    Raises
    ------
    AssertionError
        A rule is broken; the message shows each distinct mismatch with its smallest case.

    Examples
    --------
    >>> import refdot as rd
    >>> check_dot(rd.dot, cases=50)
    """
    target = CallableTarget(fn, getattr(fn, "__qualname__", repr(fn)), gradients=gradients)
    report = check.run(target, cases=cases, seed=seed)
    if report.interrupted:
        raise KeyboardInterrupt
    if count := len(report.findings):
        mismatches = "1 mismatch" if count == 1 else f"{count} mismatches"
        heading = f"{target.name}: {mismatches} in {report.cases} cases (seed {seed}):"
        raise AssertionError("\n\n".join([heading, *(str(f.mismatch) for f in report.findings)]))


def check_program(
    fn: Callable[..., Any], program: str | Program, regimes: Sequence[str] = ("unit", "large")
) -> None:
    """Judge a function that computes a program: its dims, dtypes and values.

    Parameters
    ----------
    fn : callable
        A function of the program's inputs, `NamedTensor`s that it gets by name. It returns a
        `NamedTensor`, or one for each output.
    program : str or Program
        A program, its text, or the name of one, such as "attention:layers=2".
    regimes : sequence of str, optional
        The kinds of numbers to try, of `refdot.programs.case.PROGRAM_REGIMES`.

    Raises
    ------
    AssertionError
        An output is wrong; the message shows its first wrong element.

    Examples
    --------
    >>> import refdot as rd
    >>> check_program(lambda x: rd.dot(x, x.rename(row="row_2"), "column"), "gram")
    >>> check_program(lambda x: rd.dot(x, x.rename(row="row_2"), "row"), "gram")
    Traceback (most recent call last):
    AssertionError: gram: R5 wrong-dims: expected ('row', 'row_2'), got ('column', 'row_2')
    x: float64(row: 4?, column: 3?)
    y = rename(x, row='row_2')
    gram = dot(x, y, dim='column')
    return gram
    """
    if isinstance(program, str):
        program = read_program(program) if "\n" in program else named_program(program)
    for regime in regimes:
        case = ProgramCase(program, regime)
        values = case.values(program)
        answers = fn(**values)
        answers = [answers] if isinstance(answers, NamedTensor) else list(answers)
        _check_answers(case, sharpened(program, values), answers)


def check_programs(
    operations: Mapping[str, Callable[..., Any]], programs: int = 100, seed: int = 0
) -> None:
    """Judge a library on random programs, which are made of its operations.

    Parameters
    ----------
    operations : mapping of str to callable
        For each operation, a function of `NamedTensor`s and of the operation's parameter; see
        `refdot.programs.interpretation`. Programs with other operations are left out.
    programs : int, optional
        The number of programs to draw.
    seed : int, optional
        The same seed draws the same programs.

    Raises
    ------
    AssertionError
        An output is wrong; the message shows the smallest program for which one is.

    Examples
    --------
    >>> from refdot.programs.interpretation import NUMPY
    >>> check_programs(NUMPY, programs=10)
    >>> check_programs(NUMPY | {"add": NUMPY["multiply"]}, programs=50)
    Traceback (most recent call last):
    AssertionError: v0: R6 wrong-value: expected -1.7440557706966562, got 0.7604326328250769
    x0: float64()
    v0 = add(x0, x0)
    return v0
    """

    def fault(case: ProgramCase) -> str:
        if not {step.operation for step in case.program.steps} <= operations.keys():
            return ""
        try:
            values = interpret(case.program, case.values(case.program), operations)
            answers = [values[name] for name in case.program.outputs]
            _check_answers(case, case.estimates(case.program), answers)
        except AssertionError as error:
            return str(error)
        return ""

    for index in range(programs):
        if fault(case := program_at(seed, index)):
            smallest = shrink_program(case, lambda other: bool(fault(other)))
            raise AssertionError(fault(smallest))


def _check_answers(
    case: ProgramCase, estimates: Mapping[str, Estimate], answers: Sequence[NamedTensor]
) -> None:
    if found := list(differences(case.program.outputs, estimates, answers)):
        raise AssertionError("\n".join([*map(str, found), str(case)]))


def assert_dot_matches(
    actual: NamedTensor, x: NamedTensor, y: NamedTensor, dim: Dim = None
) -> None:
    """Assert that an answer to `dot(x, y, dim)` is correct: its dims, dtype and values.

    Integers and bools must be exact. Floats may differ by the bound of `refdot.judging.rounding`.
    Long doubles are not judged where the magnitudes of the products may add up to an overflow.

    Raises
    ------
    AssertionError
        It is wrong; the message shows the first wrong element and its location by dims.

    Examples
    --------
    >>> x = NamedTensor([0.1, 0.2, 0.3], "a")
    >>> assert_dot_matches(NamedTensor(0.14, ()), x, x)
    >>> assert_dot_matches(NamedTensor(0.15, ()), x, x)
    Traceback (most recent call last):
    AssertionError: R6 wrong-value: expected 0.14, got 0.15
    """
    x_operand, y_operand = (Operand(t.dims, t.shape, str(t.dtype)) for t in (x, y))
    case = DotCase(x_operand, y_operand, DimArgument.of(dim_set(dim)))
    if found := judge_answer(actual, x, y, case):
        raise AssertionError(
            "; ".join(f"{m.rule} {m.kind}: expected {m.expected}, got {m.got}" for m in found)
        )


def assert_error_pattern(
    pattern: str,
    situations: Sequence[str] = DEFAULT_SCENARIOS,
    target: _AnyTarget = "pytensor",
    *,
    exception: type[BaseException] = Exception,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
) -> None:
    """Assert that `pytest.raises(exception, match=pattern)` is correct for error scenarios.

    Parameters
    ----------
    pattern : str
        Must match every message of these scenarios, and no other error.
    situations : sequence of str, optional
        Names of error scenarios; by default a contracted dim whose sizes differ, none static.
    target : str, Target or callable, optional
        As on the command line, or a function of `NamedTensor`s.
    exception : type, optional
        The exception that must be raised.
    backends, lowerings : sequence of str, optional
        By default every backend that can run here, and the target's default lowerings. PyTensor
        takes about half a minute to compile for all of them.

    Raises
    ------
    AssertionError
        The pattern is wrong; the message shows why, and suggests another.
    PatternError
        The pattern is malformed.

    Examples
    --------
    >>> import refdot as rd
    >>> assert_error_pattern("does not match", target=rd.dot)
    >>> assert_error_pattern("not", target=rd.dot)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: pytest.raises(Exception, match='not')
    for contracted-unknown
    on dot on Python ..., backends call, lowerings stock
    ...
    """
    check_pattern(pattern)
    messages = _messages(target, backends, lowerings)
    verdict = judge(pattern, messages, situations, exception)
    if not verdict.is_correct:
        raise AssertionError(plain_text(verdict_lines(verdict, messages)))


def mismatch_pattern(
    target: _AnyTarget = "pytensor",
    situations: Sequence[str] = DEFAULT_SCENARIOS,
    *,
    backends: Sequence[str] = (),
    lowerings: Sequence[str] = (),
) -> str:
    """Return a correct regex for the errors of the installed version of a target.

    Parameters
    ----------
    target, situations, backends, lowerings : optional
        As in `assert_error_pattern`.

    Returns
    -------
    str
        The shortest alternation of literal fragments that is correct for the error scenarios.

    Raises
    ------
    LookupError
        No error is raised, or every fragment of its message is in another error too.

    Examples
    --------
    >>> import refdot as rd
    >>> mismatch_pattern(rd.dot)
    'Size of dim'
    """
    messages = _messages(target, backends, lowerings)
    if pattern := suggest_pattern(messages, situations):
        return pattern
    raise LookupError(f"no pattern for {', '.join(situations)} of {messages}")


def _messages(target: _AnyTarget, backends: Sequence[str], lowerings: Sequence[str]) -> Survey:
    # Nothing is kept between calls, so that a target that was patched meanwhile is judged.
    resolved: Any = find_target(target) if isinstance(target, str) else target
    if not hasattr(resolved, "backends"):
        resolved = CallableTarget(resolved, getattr(resolved, "__qualname__", repr(resolved)))
    available = tuple(b.name for b in resolved.backends() if b.default and not b.absent)
    return survey(resolved, backends=backends or available, lowerings=lowerings)
