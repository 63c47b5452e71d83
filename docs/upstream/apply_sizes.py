"""Apply the edit that sizes.md proposes to a copy of PyTensor's sources.

    python docs/upstream/apply_sizes.py path/to/pytensor

`path/to/pytensor` is the package, the folder that contains `xtensor/`. Only `Dot.make_node`, in
`xtensor/math.py`, and the import that it needs are changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Each passage of `xtensor/math.py`, and what replaces it.
EDITS = {
    """\
from pytensor.xtensor.vectorization import XElemwise
""": """\
from pytensor.xtensor.vectorization import XElemwise, combine_dims_and_shape
""",
    """\
        # Determine output dimensions
        shape_dict = {**x_shape_dict, **y_shape_dict}
        out_dims = tuple(d for d in shape_dict if d not in self.dims)

        # Determine output shape
        out_shape = tuple(shape_dict[d] for d in out_dims)
""": """\
        # Determine output dimensions and shape
        shape_dict = combine_dims_and_shape([x, y], exclude=self.dims)
        out_dims, out_shape = tuple(shape_dict), tuple(shape_dict.values())
""",
}


def apply(package: Path) -> list[Path]:
    """Write the edit into a copy of PyTensor's package, and return the files."""
    file = package / "xtensor" / "math.py"
    text = file.read_text(encoding="utf-8")
    for old, new in EDITS.items():
        if text.count(old) != 1:
            sys.exit(f"{file} has not exactly one passage\n\n{old}")
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return [file]


if __name__ == "__main__":
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "xtensor" / "math.py").is_file():
        sys.exit("usage: apply_sizes.py path/to/pytensor, the folder that contains xtensor/math.py")
    for path in apply(Path(sys.argv[1])):
        print(path)
