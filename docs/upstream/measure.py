"""Measure what contraction.md says about compile times, and write its tables.

    python docs/upstream/measure.py FOLDER INTERPRETER...

Each interpreter, such as `python3.11`, has refdot and the PyTensor to be measured. FOLDER keeps the
result of each run of `refdot compile-time`, so that a later call continues where this one stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("contraction.md")
START, END = "<!-- written by measure.py -->\n", "<!-- end -->\n"
VARIANTS = ("plain", "stock", "inlined", "direct")
PHASES = ("lower", "grad", "rewrite", "code generation", "first call", "steady call")
# The options of each run by its name, the most important first.
RUNS = {
    "unknown": "--weights unknown --layers 1,2,4 --memory",
    "static": "--weights static --layers 2",
    "mixed": "--weights mixed --layers 2",
    "growth": "--weights unknown --layers 8,16 --lowering direct",
    "c": "--weights unknown --layers 2 --backend c",
    "numba": "--weights unknown --layers 1 --backend numba",
}

# The passes of rewriting that look for cycles in the whole graph before each change.
IN_PLACE = ("inplace_elemwise", "local_inplace_setsubtensor")
# The runs whose phases are shown, each with a number of layers.
LAYERS = {"unknown": 2, "c": 2, "numba": 1}


def measured(folder: Path, interpreter: str, name: str) -> dict[str, Any]:
    """Return the result of a run, which runs unless the folder has it; also plot the first run."""
    version = "import pytensor; print(pytensor.__version__)"
    found = subprocess.run([interpreter, "-c", version], capture_output=True, text=True, check=True)
    file = folder / f"{found.stdout.strip()}-{name}.json"
    if not file.exists():
        command = [interpreter, "-m", "refdot", "compile-time", *RUNS[name].split()]
        if name == "unknown":
            command += ["--plot", str(PAGE.with_name(f"compile-time-{found.stdout.strip()}.png"))]
        subprocess.run([*command, "--limit", "60", "--json", str(file)], check=True)
    return json.loads(file.read_text("utf-8"))


def compile_table(run: dict[str, Any]) -> list[str]:
    """Return the seconds of lower, grad and rewrite, and in brackets multiples of plain's."""
    results = {(each["layers"], each["variant"]): each for each in run["results"]}
    variants = [variant for variant in VARIANTS if any(key[1] == variant for key in results)]
    return table(
        ["layers", *variants],
        [
            [str(layers), *(compile_cell(results[layers, variant]) for variant in variants)]
            for layers in sorted({key[0] for key in results})
        ],
    )


def compile_cell(result: dict[str, Any]) -> str:
    """Return a time with its multiple of plain's, or the reason why there is none."""
    if "stopped" in result:
        return result["stopped"]
    return with_ratio(
        result["compile"], None if result["variant"] == "plain" else result["compile_ratio"]
    )


def phase_table(run: dict[str, Any], layers: int) -> list[str]:
    """Return the seconds of each phase for one number of layers, and the memory."""
    rows = []
    for result in run["results"]:
        if result["layers"] == layers and "stopped" not in result:
            plain = result["variant"] == "plain"
            times = (
                with_ratio(result["seconds"][phase], None if plain else result["ratios"][phase])
                for phase in PHASES
            )
            memory = [f"{result['memory'] / 1e6:.1f}"] if result["memory"] else []
            rows.append([result["variant"], *times, *memory])
    memory = ["memory (MB)"] if len(rows[0]) > len(PHASES) + 1 else []
    return table(["variant", *PHASES, *memory], rows)


def growth_table(run: dict[str, Any]) -> list[str]:
    """Return how much the time of rewriting grows from the smallest to the largest run."""
    rows = []
    for variant in VARIANTS:
        runs = [each for each in run["results"] if each["variant"] == variant]
        if not runs or any("stopped" in each for each in runs):
            continue
        few, *_, many = sorted(runs, key=lambda each: each["layers"])
        pairs = zip(split_by_place(few["passes"]), split_by_place(many["passes"]), strict=True)
        rows.append([variant, *(f"{after / before:.1f}" for before, after in pairs)])
    return table(["variant", "all passes", "passes in place", "all others"], rows)


def split_by_place(passes: dict[str, float]) -> tuple[float, float, float]:
    """Return the seconds of all passes, of those that make operations work in place, and others."""
    total, in_place = sum(passes.values()), sum(passes[name] for name in IN_PLACE)
    return total, in_place, total - in_place


def with_ratio(seconds: float, ratio: float | None) -> str:
    """Format a time with its multiple of plain's."""
    return f"{seconds:.3g}" if ratio is None else f"{seconds:.3g} ({ratio:.2f})"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table in Markdown."""
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def section(runs: dict[str, dict[str, Any]]) -> str:
    """Return the tables of the runs of one version."""
    parts = [f"### PyTensor {runs['unknown']['pytensor']}"]
    for name in [name for name in ("unknown", "static", "mixed", "growth") if name in runs]:
        run = runs[name]
        parts += [
            f"Lower, grad and rewrite, in seconds; weights of {run['weights']} shape; "
            f"medians of {run['repeats']}:",
            "\n".join(compile_table(run)),
        ]
        if name == "growth":
            parts += [
                "From the smaller to the larger number of layers, the time of rewriting grows by:",
                "\n".join(growth_table(run)),
            ]
    for name, layers in [each for each in LAYERS.items() if each[0] in runs]:
        run = runs[name]
        parts += [
            f"Each phase with the backend {run['results'][0]['backend']}, layers: {layers}; "
            f"weights of {run['weights']} shape; medians of {run['repeats']}:",
            "\n".join(phase_table(run, layers)),
        ]
    return "\n\n".join(parts) + "\n"


def main(folder: Path, interpreters: list[str]) -> None:
    """Measure with each interpreter, and write the tables into the page."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = [
        section({name: measured(folder, interpreter, name) for name in RUNS})
        for interpreter in interpreters
    ]
    before, _, rest = PAGE.read_text("utf-8").partition(START)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{START}\n{chr(10).join(sections)}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: measure.py FOLDER INTERPRETER...")
    main(Path(sys.argv[1]), sys.argv[2:])
