"""The vocabulary of a verdict: rules, kinds of mismatch, aspects and stages."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ASPECTS", "KINDS", "RULES", "STAGES"]


class Rule(NamedTuple):
    """A rule's name, and the kinds of mismatch without which it is not judged."""

    name: str
    kinds: tuple[str, ...]


RULES = {
    "R1": Rule("Operands", ("accepted-invalid",)),
    "R2": Rule("The argument dim", ("accepted-invalid",)),
    "R3": Rule("Membership", ("accepted-invalid",)),
    "R4": Rule("Sizes", ("accepted-invalid",)),
    "R5": Rule("Output dims", ("wrong-dims",)),
    "R6": Rule("Value", ("wrong-value",)),
    "R7": Rule("Dtype", ("wrong-dtype",)),
    "R8": Rule("Gradient", ("wrong-gradient",)),
    "R9": Rule("Static shape", ("wrong-shape",)),
    "R10": Rule("Determinism", ("nondeterminism",)),
    "R11": Rule("Any rank", ("rejected-valid",)),
    "R12": Rule("Purity", ("side-effect",)),
    "R13": Rule("Earliest stage", ("late-error", "wrong-error")),
    "R14": Rule("Structure", ("structure",)),
}
# What `--only` selects by, and the kinds of mismatch that belong to it.
ASPECTS = {
    "values": (
        "wrong-value",
        "wrong-dims",
        "wrong-dtype",
        "wrong-shape",
        "rejected-valid",
        "side-effect",
    ),
    "gradients": ("wrong-gradient",),
    "errors": ("accepted-invalid", "late-error", "wrong-error"),
    "structure": ("structure", "nondeterminism"),
}
KINDS = tuple(kind for kinds in ASPECTS.values() for kind in kinds)
STAGES = ("build", "lower", "compile", "run")
