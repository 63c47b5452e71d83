"""Compile times: every phase is measured, limited, compared and shown."""

from __future__ import annotations

import io
import json
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytensor
import pytest
from rich.console import Console

from refdot.cli import main
from refdot.pytensor.benchmark import attention, compile_report, compile_time, measurement
from refdot.pytensor.benchmark.compile_time import (
    Comparison,
    Result,
    compare_lowerings,
    largest_difference,
)
from refdot.pytensor.benchmark.measurement import (
    PHASES,
    LimitReached,
    Measurement,
    Setting,
    measure,
    time_limit,
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Make the model small, with distinct sizes, and measure one steady call."""
    sizes = {"BATCH": 2, "BLOCK": 5, "EMBD": 6, "HEADS": 3, "HEAD_DIM": 4}
    for name, size in sizes.items():
        monkeypatch.setattr(attention, name, size)
    monkeypatch.setattr(attention, "CAUSAL", np.triu(np.full((5, 5), -1e9), 1))
    monkeypatch.setattr(attention, "SCALE", 1 / np.sqrt(attention.HEAD_DIM))
    monkeypatch.setattr(measurement, "STEADY_SECONDS", 0.0)


@pytest.mark.parametrize("variant", ["plain", "stock", "inlined", "direct"])
def test_every_phase_is_measured(variant):
    measured = measure(variant, 1, Setting())
    assert set(measured.seconds) == set(PHASES)
    assert all(measured.seconds[phase] > 0 for phase in PHASES if phase != "lower")
    assert (measured.seconds["lower"] == 0) is (variant == "plain")
    assert {"canonicalize", "specialize"} <= set(measured.passes)
    assert list(measured.nodes) == ["lower", "grad", "rewrite"]
    assert measured.nodes["grad"] > measured.nodes["lower"] > measured.inner_graphs["lower"]
    assert (measured.inner_graphs["lower"] > 1) is (variant == "stock")


@pytest.mark.parametrize(
    ("gradient", "shape"), [("input", "unknown"), ("weights", "static"), ("input", "mixed")]
)
def test_all_variants_agree_with_each_other_and_the_oracle(gradient, shape):
    setting = Setting(weights_shape=shape, gradient=gradient)
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


def test_the_memory_is_measured_on_request():
    comparison = compare_lowerings([1], ["direct"], [Setting(memory=True)], 1)
    for result in comparison.results:
        assert result.memory > 10_000
    head, *_ = compile_report.as_json(comparison)["results"]
    assert head["memory"] == comparison.results[0].memory


def test_the_oracles_gradient_is_the_slope_of_the_loss():
    values = attention.draw_values(2)
    loss, gradients = attention.oracle_loss(values)
    (into, back), *rest = values.layers
    step = 1e-6
    for gradient, changed in (
        (gradients[0], lambda d: attention.Values(values.x + d, values.layers)),
        (gradients[1], lambda d: attention.Values(values.x, ((into + d, back), *rest))),
        (gradients[2], lambda d: attention.Values(values.x, ((into, back + d), *rest))),
    ):
        direction = np.random.default_rng(1).normal(size=gradient.shape)
        nearby, _ = attention.oracle_loss(changed(step * direction))
        np.testing.assert_allclose((nearby - loss) / step, (gradient * direction).sum(), rtol=1e-4)


def test_rewriting_of_inner_graphs_does_not_count_twice(monkeypatch):
    # PyTensor measures its passes with another clock.
    monkeypatch.setattr(measurement, "processor_time", time.perf_counter)
    # PyTensor also rewrites the inner graph of stock's Einsum: during the outer, and when called.
    measured = measure("stock", 1, Setting())
    assert measured.seconds["rewrite"] >= sum(measured.passes.values()) * 0.99


def test_a_variant_over_the_limit_is_stopped_and_not_measured_with_more_layers(monkeypatch):
    tried = []

    def slow(variant, layers, setting):
        tried.append((variant, layers))
        if variant == "stock" and layers == 2:
            raise LimitReached
        return Measurement(dict.fromkeys(PHASES, 1.0), answers=[np.zeros(())])

    monkeypatch.setattr(compile_time, "measure", slow)
    monkeypatch.setattr(compile_time, "_set_differences", lambda *_: None)
    comparison = compare_lowerings([3, 1, 2], ["stock"], [Setting(limit=60)], 2)
    stopped = {(r.variant, r.layers): r.stopped for r in comparison.results}
    assert stopped == {
        ("plain", 1): "",
        ("stock", 1): "",
        ("plain", 2): "",
        ("stock", 2): "over 60 s at 2 layers",
        ("plain", 3): "",
        ("stock", 3): "over 60 s at 2 layers",
    }
    assert tried.count(("stock", 2)) == 1
    assert ("stock", 3) not in tried


def test_a_measurement_runs_within_the_limit(monkeypatch):
    monkeypatch.setattr(compile_time, "measure", lambda *_: time.sleep(60))
    monkeypatch.setattr(compile_time, "_set_differences", lambda *_: None)
    comparison = compare_lowerings([1], [], [Setting(limit=0.05)])
    assert [result.stopped for result in comparison.results] == ["over 0.05 s at 1 layer"]


def test_variants_take_turns(monkeypatch):
    tried = []

    def quick(variant, layers, setting):
        tried.append((layers, variant))
        return Measurement(dict.fromkeys(PHASES, 1.0), answers=[np.zeros(())])

    monkeypatch.setattr(compile_time, "measure", quick)
    monkeypatch.setattr(compile_time, "_set_differences", lambda *_: None)
    reported = []
    compare_lowerings([1], ["direct"], [Setting()], 2, lambda *progress: reported.append(progress))
    assert tried == [(1, "plain"), (1, "direct")] * 3
    assert reported[-1] == ("measuring", 6, 6)


def test_a_time_limit_restores_the_signal_handler():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(LimitReached), time_limit(0.01):
        time.sleep(5)
    with time_limit(60):
        pass
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_time_limit_needs_the_main_thread():
    raised = []

    def limited():
        try:
            with time_limit(1):
                raise AssertionError("the block must not run")
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=limited)
    thread.start()
    thread.join()
    assert raised == ["a time limit works only in the main thread, which receives signals"]


def test_the_largest_difference_is_nan_if_any_is():
    assert largest_difference([np.array([1.0, 2.0])], [np.array([[1.0], [4.0]])]) == 2.0
    assert np.isnan(largest_difference([np.array(1.0), np.array(np.nan)], [np.array(1.0)] * 2))


def example_comparison():
    """Return a comparison in which stock takes twice as long, then is stopped."""
    comparison = Comparison("3.9", Setting(limit=7.0), 1)
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


def test_the_table_shows_ratios_and_stopped_variants():
    file = io.StringIO()
    compile_report.print_comparison(example_comparison(), Console(width=80, file=file))
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert lines[0] == (
        "PyTensor 3.9, backend python: weights of unknown shape, gradient of the input"
    )
    rows = {line[:16].strip(): line[16:].split() for line in lines[2:17]}
    assert rows["1 layer"] == ["plain", "stock"]
    assert rows["build"] == ["0.500", "1.000", "(2.00)"]
    assert rows["lower"] == ["0.000", "3.000"]  # a phase that plain lacks
    assert rows["nodes"] == ["3", "5", "4"] * 2
    assert rows["vs oracle"] == ["5.0e-17", "5.0e-17"]
    assert "stock was stopped: over 7 s at 2 layers" in lines


def test_the_table_of_all_lowerings_fits_into_80_columns():
    comparison = example_comparison()
    plain, stock, *_ = comparison.results
    for variant in ("inlined", "direct"):
        comparison.results.append(replace(stock, variant=variant))
    plain.measurements[0].seconds["rewrite"] = 3.0
    stock.measurements[0].seconds["rewrite"] = 99.0
    file = io.StringIO()
    compile_report.print_comparison(comparison, Console(width=80, file=file))
    text = file.getvalue()
    assert "99.000 (33.00)   99.000 (33.00)" in text
    assert "…" not in text


def test_json_has_all_measurements():
    first, second, *_, last = compile_report.as_json(example_comparison())["results"]
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


def test_the_plot_marks_stopped_variants_and_published_times(tmp_path):
    file = tmp_path / "out.svg"
    compile_report.plot(example_comparison(), file)
    assert file.read_text(encoding="utf-8").startswith("<?xml")
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    compile_report.plot_backend(axes, example_comparison(), "python")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["plain", "stock", "stopped at 7 s", "published with #2164"]
    assert axes.get_yscale() == "log"
    lines = [line.get_xydata().tolist() for line in axes.get_lines()]
    assert [[1.0, 6.0], [2.0, 12.0]] in lines
    assert [[1.0, 15.0], [2.0, 7.0]] in lines
    assert [[1.0, 3.04], [2.0, 72.5]] in lines


def test_the_command_writes_json_and_a_plot_and_prints_profiles(tmp_path, capsys):
    files = tmp_path / "out.json", tmp_path / "out.png"
    options = ["--layers", "1", "--lowering", "direct", "--repeats", "1", "--profile", "--dprint"]
    code = main(["compile-time", *options, "--json", str(files[0]), "--plot", str(files[1])])
    assert code == 0
    printed = capsys.readouterr().out
    for words in (
        "plain, 1 layer: profile",
        "direct, 1 layer: before rewriting",
        "direct, 1 layer: after rewriting",
        "ncalls",
        "EqualSizes",
    ):
        assert words in printed
    found = json.loads(files[0].read_text(encoding="utf-8"))
    assert found["pytensor"] == pytensor.__version__
    assert [result["variant"] for result in found["results"]] == ["plain", "direct"]
    assert files[1].read_bytes().startswith(b"\x89PNG")


# Each: arguments, and the error message.
REFUSED = {
    "layers": (
        ["--layers", "1,none"],
        "argument --layers: expected a whole number from 1, got 'none'",
    ),
    "limit": (["--limit", "0"], "argument --limit: expected a positive number, got '0'"),
    "words": (["--limit", "soon"], "argument --limit: expected a positive number, got 'soon'"),
    "lowering": (
        ["--lowering", "dirct"],
        "--lowering dirct: choose from stock, inlined, direct; did you mean direct?",
    ),
    "backend": (
        ["--backend", "fortran"],
        "--backend fortran: choose from "
        "python, python-minimum, fast-compile, c, c-blas, numba, jax, mlx, torch",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_usage_is_rejected_with_one_line(arguments, message, capsys):
    assert main(["compile-time", *arguments]) == 2
    assert capsys.readouterr().err == f"refdot: {message}\n"


def test_a_file_that_cannot_be_written_is_bad_usage(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(compile_time, "compare_lowerings", lambda *_: example_comparison())
    missing = tmp_path / "missing" / "out.json"
    assert main(["compile-time", "--json", str(missing)]) == 2
    assert capsys.readouterr().err == f"refdot: --json {missing}: No such file or directory\n"
    unknown = tmp_path / "out.unknown"
    assert main(["compile-time", "--plot", str(unknown)]) == 2
    assert capsys.readouterr().err.startswith(f"refdot: --plot {unknown}: Format 'unknown' is not")
