"""Conversion of the test cases of programs to JSON and back; msgspec validates them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from refdot.cases.case import Operand
from refdot.cases.codec import OperandRecord, check_choice, check_elements
from refdot.errors import DotError
from refdot.programs.case import BUILDS, PROGRAM_REGIMES, ProgramCase
from refdot.programs.notation import step
from refdot.programs.program import Program

__all__ = ["ProgramCaseRecord", "program_case_from_json", "program_case_to_json"]

_MOST_STEPS = 10_000


class ProgramCaseRecord(Struct, forbid_unknown_fields=True):
    """The JSON of a program's test case, for use as a field of other records.

    Steps are in their text form.
    """

    inputs: dict[str, OperandRecord]
    steps: Annotated[list[str], Meta(max_length=_MOST_STEPS)]
    outputs: list[str]
    regime: str = "unit"
    seed: Annotated[int, Meta(ge=0, lt=1 << 32)] = 0
    gradient_order: Annotated[int, Meta(ge=0, le=2)] = 0
    built: str = "plain"
    has_wrong_sizes: bool = False

    def __post_init__(self) -> None:
        check_choice("regime", self.regime, PROGRAM_REGIMES)
        check_choice("built", self.built, BUILDS)
        try:
            types = self.case.program.types  # the program is checked when it is made
        except DotError as error:
            raise ValueError("; ".join([str(error), *getattr(error, "__notes__", ())])) from None
        for name, value in types.items():
            check_elements(name, value.shape)

    @classmethod
    def of(cls, case: ProgramCase) -> ProgramCaseRecord:
        """Return the record of a case."""
        program = case.program
        return cls(
            msgspec.convert(dict(program.inputs), dict[str, OperandRecord], from_attributes=True),
            [str(step) for step in program.steps],
            list(program.outputs),
            case.regime,
            case.seed,
            case.gradient_order,
            case.built,
            case.has_wrong_sizes,
        )

    @property
    def case(self) -> ProgramCase:
        """The case that has this record."""
        program = Program(
            tuple(msgspec.convert(self.inputs, dict[str, Operand], from_attributes=True).items()),
            tuple(map(step, self.steps)),
            tuple(self.outputs),
        )
        return ProgramCase(
            program,
            self.regime,
            self.seed,
            self.gradient_order,
            self.built,
            self.has_wrong_sizes,
        )


def program_case_to_json(case: ProgramCase) -> dict[str, Any]:
    r"""Return a program's test case as an object that `json.dump` can write.

    Examples
    --------
    >>> from refdot.programs.notation import program
    >>> case = ProgramCase(program("x: float64(a: 2)\ny = exp(x)\nreturn y"))
    >>> program_case_to_json(case)["steps"]
    ['y = exp(x)']
    >>> program_case_from_json(program_case_to_json(case)) == case
    True
    """
    data: dict[str, Any] = msgspec.to_builtins(ProgramCaseRecord.of(case))
    return data


def program_case_from_json(data: Any) -> ProgramCase:
    """Return the test case in JSON, given as text or as the object that `json.loads` returns.

    Raises
    ------
    ValueError
        The data are not a case. The message has the location of the error.
    """
    try:
        if isinstance(data, str | bytes):
            return msgspec.json.decode(data, type=ProgramCaseRecord).case
        return msgspec.convert(data, ProgramCaseRecord).case
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
