"""The vocabulary of mismatches: the rules, and how and where a target breaks them.

A mismatch has the *rule* of SPEC.md that the target breaks, such as R4; its *kind*, which is how
the target breaks the rule, such as "accepted-invalid"; and the *stage* at which it shows, such as
"run". An *aspect* is a group of kinds that a user can select: `refdot check --only gradients`.
"""

from typing import NamedTuple

__all__ = ["ASPECTS", "KINDS", "RULES", "STAGES"]


class Rule(NamedTuple):
    """A rule of SPEC.md, and the kinds of mismatch by which it is judged.

    A run that selects none of these kinds does not judge the rule.
    """

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
    "R15": Rule("Resources", ("resources",)),
}
# The choices of `--only`, each with the kinds of mismatch that it selects.
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
    "resources": ("resources",),
}
KINDS = tuple(kind for kinds in ASPECTS.values() for kind in kinds)
# In order: building the graph, lowering names to positions, compiling, and running.
STAGES = ("build", "lower", "compile", "run")
