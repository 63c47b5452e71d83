"""What compiling costs: that every phase is measured, stopped in time, compared and shown."""

from __future__ import annotations

import io
import json
import signal
import threading
import time

import numpy as np
import pytensor
import pytest
from rich.console import Console

from refdot.cli import main
from refdot.pytensor.benchmark import attention, compile_report, compile_time
from refdot.pytensor.benchmark.compile_time import (
    PHASES,
    Comparison,
    LimitReached,
    Measurement,
    Result,
    Setting,
    at_most,
    compare_lowerings,
    distance,
    measure,
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Make the model small, and one steady call enough; every size is another one."""
    sizes = {"BATCH": 2, "BLOCK": 5, "EMBD": 6, "HEADS": 3, "HEAD_DIM": 4}
    for name, size in sizes.items():
        monkeypatch.setattr(attention, name, size)
    monkeypatch.setattr(attention, "CAUSAL", np.triu(np.full((5, 5), -1e9), 1))
    monkeypatch.setattr(compile_time, "STEADY_SECONDS", 0.0)


@pytest.mark.parametrize("variant", ["plain", "stock", "inlined", "direct"])
def test_every_phase_is_measured(variant):
    found = measure(variant, 1, Setting())
    assert set(found.seconds) == set(PHASES)
    assert all(found.seconds[phase] > 0 for phase in PHASES if phase != "lower")
    assert (found.seconds["lower"] == 0) is (variant == "plain")
    assert {"canonicalize", "specialize"} <= set(found.passes)
    assert list(found.nodes) == ["lower", "grad", "rewrite"]
    assert found.nodes["grad"] > found.nodes["lower"] > found.inner_graphs["lower"]
    assert (found.inner_graphs["lower"] > 1) is (variant == "stock")


@pytest.mark.parametrize(("gradient", "static"), [("input", False), ("weights", True)])
def test_all_variants_agree_with_each_other_and_the_oracle(gradient, static):
    setting = Setting(static=static, gradient=gradient)
    comparison = compare_lowerings([1], ["stock", "inlined", "direct"], [setting], 1)
    assert [result.variant for result in comparison.results] == [
        "plain",
        "stock",
        "inlined",
        "direct",
    ]
    for result in comparison.results:
        assert len(result.measurements[0].answers) == (2 if gradient == "input" else 3)
        assert result.difference < 1e-13
        assert result.difference_from_plain < 1e-13


def test_the_oracles_gradient_is_what_the_loss_changes_by():
    values = attention.draw_values(2)
    loss, gradients = attention.loss_by_oracle(values)
    (into, back), *rest = values.layers
    step = 1e-6
    for gradient, changed in (
        (gradients[0], lambda d: attention.Values(values.x + d, values.layers)),
        (gradients[1], lambda d: attention.Values(values.x, ((into + d, back), *rest))),
        (gradients[2], lambda d: attention.Values(values.x, ((into, back + d), *rest))),
    ):
        direction = np.random.default_rng(1).normal(size=gradient.shape)
        nearby, _ = attention.loss_by_oracle(changed(step * direction))
        np.testing.assert_allclose((nearby - loss) / step, (gradient * direction).sum(), rtol=1e-4)


def test_only_the_outermost_rewriting_counts():
    # The inside of stock's Einsum is rewritten too, while the outside is, and at the first call.
    found = measure("stock", 1, Setting())
    assert found.seconds["rewrite"] >= sum(found.passes.values()) * 0.99


def test_what_takes_too_long_is_stopped_and_not_tried_with_more(monkeypatch):
    tried = []

    def slow(variant, layers, setting):
        tried.append((variant, layers))
        if variant == "stock" and layers == 2:
            time.sleep(5)
        return Measurement(dict.fromkeys(PHASES, 1.0), answers=[np.zeros(())])

    monkeypatch.setattr(compile_time, "measure", slow)
    monkeypatch.setattr(compile_time, "_hold_to_each_other", lambda *_: None)
    comparison = compare_lowerings([3, 1, 2], ["stock"], [Setting(limit=0.05)], 2)
    stopped = {(r.variant, r.layers): r.stopped for r in comparison.results}
    assert stopped == {
        ("plain", 1): "",
        ("stock", 1): "",
        ("plain", 2): "",
        ("stock", 2): "over 0.05 s at 2 layers",
        ("plain", 3): "",
        ("stock", 3): "over 0.05 s at 2 layers",
    }
    assert tried.count(("stock", 2)) == 1
    assert ("stock", 3) not in tried


def test_variants_take_turns(monkeypatch):
    tried = []

    def quick(variant, layers, setting):
        tried.append((layers, variant))
        return Measurement(dict.fromkeys(PHASES, 1.0), answers=[np.zeros(())])

    monkeypatch.setattr(compile_time, "measure", quick)
    monkeypatch.setattr(compile_time, "_hold_to_each_other", lambda *_: None)
    told = []
    compare_lowerings([1], ["direct"], [Setting()], 2, lambda *progress: told.append(progress))
    assert tried == [(1, "plain"), (1, "direct")] * 3
    assert told[-1] == ("measuring", 6, 6)


def test_a_limit_leaves_nothing_behind():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(LimitReached), at_most(0.01):
        time.sleep(5)
    with at_most(60):
        pass
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_limit_needs_the_main_thread():
    raised = []

    def limited():
        try:
            with at_most(1):
                raise AssertionError("the block must not run")
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=limited)
    thread.start()
    thread.join()
    assert raised == ["a time limit needs the main thread, where signals arrive"]


def test_a_distance_that_is_not_a_number_shows():
    assert distance([np.array([1.0, 2.0])], [np.array([[1.0], [4.0]])]) == 2.0
    assert np.isnan(distance([np.array(1.0), np.array(np.nan)], [np.array(1.0)] * 2))


def made_up():
    """Give a comparison of made-up numbers: stock twice as slow, then stopped."""
    comparison = Comparison("3.9", False, "input", 7.0, 1)
    for layers in (1, 2):
        for factor, variant in ((1, "plain"), (2, "stock")):
            seconds = {phase: layers * factor * (0.5 + at) for at, phase in enumerate(PHASES)}
            if variant == "plain":
                seconds["lower"] = 0.0
            counts = {"lower": 3, "grad": 5, "rewrite": 4}
            result = Result("python", layers, variant)
            result.measurements = [Measurement(seconds, {"canonicalize": 0.25}, counts, counts)]
            result.difference, result.difference_from_plain = 5e-17, 0.0
            comparison.results.append(result)
    comparison.results[-1] = Result("python", 2, "stock", stopped="over 7 s at 2 layers")
    return comparison


def test_the_table_shows_ratios_and_what_was_stopped():
    file = io.StringIO()
    compile_report.print_comparison(made_up(), Console(width=240, file=file))
    text = file.getvalue()
    assert "PyTensor 3.9, backend python: weights of unknown shape, gradient of the input" in text
    [plain, stock] = [line for line in text.splitlines() if line.startswith("│      1 │")]
    assert "2.00)" not in plain
    assert "1.0000 (2.00)" in stock  # build
    assert "│ 3.0000 │" in stock  # lower, which plain has nothing of
    assert "5.00e-17 0.00e+00" in stock
    assert "over 7 s at 2 layers" in text


def test_json_has_it_all():
    first, second, *_, last = compile_report.as_json(made_up())["results"]
    assert first["ratios"]["lower"] is None
    assert (second["compile_ratio"], second["whole_ratio"]) == (15 / 6, 35 / 16)
    assert second["passes"] == {"canonicalize": 0.25}
    assert second["difference_from_oracle"] == 5e-17
    assert last == {
        "backend": "python",
        "layers": 2,
        "variant": "stock",
        "stopped": "over 7 s at 2 layers",
    }


def test_the_plot_marks_what_was_stopped_and_what_upstream_published(tmp_path):
    file = tmp_path / "out.svg"
    compile_report.plot(made_up(), file)
    assert file.read_text(encoding="utf-8").startswith("<?xml")
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    compile_report.draw(axes, made_up(), "python")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["plain", "stock", "stopped at 7 s", "published with #2164"]
    assert axes.get_yscale() == "log"
    lines = [line.get_xydata().tolist() for line in axes.get_lines()]
    assert [[1.0, 6.0], [2.0, 12.0]] in lines
    assert [[1.0, 15.0], [2.0, 7.0]] in lines
    assert [[1.0, 3.04], [2.0, 72.5]] in lines


def test_the_command_writes_what_it_is_asked_for(tmp_path, capsys):
    files = tmp_path / "out.json", tmp_path / "out.png"
    options = ["--layers", "1", "--lowering", "direct", "--repeats", "1", "--profile", "--dprint"]
    code = main(["compile-time", *options, "--json", str(files[0]), "--plot", str(files[1])])
    assert code == 0
    printed = capsys.readouterr().out
    for words in (
        "plain, 1 layers: where the time goes",
        "direct, 1 layers: before rewriting",
        "direct, 1 layers: after rewriting",
        "ncalls",
        "EqualSizes",
    ):
        assert words in printed
    found = json.loads(files[0].read_text(encoding="utf-8"))
    assert found["pytensor"] == pytensor.__version__
    assert [result["variant"] for result in found["results"]] == ["plain", "direct"]
    assert files[1].read_bytes().startswith(b"\x89PNG")


# Each: arguments, and what is said of them on one line.
REFUSED = {
    "layers": (
        ["--layers", "1,none"],
        "argument --layers: a whole number from 1 on, not 'none'",
    ),
    "limit": (["--limit", "0"], "argument --limit: a positive number, not '0'"),
    "words": (["--limit", "soon"], "argument --limit: a positive number, not 'soon'"),
    "lowering": (
        ["--lowering", "dirct"],
        "--lowering dirct: there is only stock, inlined, direct (did you mean direct?)",
    ),
    "backend": (
        ["--backend", "fortran"],
        "--backend fortran: there is only "
        "python, python-minimum, fast-compile, c, numba, jax, mlx, torch",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_usage_is_refused_in_one_line(arguments, message, capsys):
    assert main(["compile-time", *arguments]) == 2
    assert capsys.readouterr().err == f"refdot: {message}\n"


def test_a_file_that_cannot_be_written_is_bad_usage(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(compile_time, "compare_lowerings", lambda *_: made_up())
    missing = tmp_path / "missing" / "out.json"
    assert main(["compile-time", "--json", str(missing)]) == 2
    assert capsys.readouterr().err == f"refdot: {missing}: No such file or directory\n"
    unknown = tmp_path / "out.unknown"
    assert main(["compile-time", "--plot", str(unknown)]) == 2
    assert capsys.readouterr().err.startswith(f"refdot: --plot {unknown}: Format 'unknown' is not")
