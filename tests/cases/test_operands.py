"""The operand cases: one variable or array twice, constants, shared variables, memory layouts."""

from __future__ import annotations

from collections import Counter

from refdot.cases.case import CONTENTS, LAYOUTS
from refdot.cases.operands import operand_cases
from refdot.cases.values import NEAR_CONTENTS
from refdot.judging.expected import expected_error

CASES = list(operand_cases())


def test_they_are_distinct_and_few():
    assert len({*CASES}) == len(CASES) < 240


def test_one_variable_has_the_same_names_and_others_in_real_and_complex_dtypes():
    found = {(case.x.dims == case.y.dims, case.x.dtype) for case in CASES if case.same_variable}
    dtypes = ("float64", "complex128", "float32", "complex64", "int64", "uint8", "bool")
    assert found == {(same, dtype) for same in (True, False) for dtype in dtypes}


def test_one_variable_is_also_static_large_constant_shared_and_of_three_dims():
    found = [case for case in CASES if case.same_variable and case.x.dims != case.y.dims]
    assert {case.x.origin for case in found} == {"input", "constant", "shared"}
    assert any(all(case.x.static) for case in found if case.x.origin == "input")
    assert max(len(case.x.dims) for case in found) == 3
    assert max(max(case.x.shape) for case in found) > 128
    assert {case.gradient_order for case in found} == {0, 1, 2}
    assert {case.regime for case in found} == {"exact", "rounding", "special"}


def test_a_constant_of_each_content_is_in_each_operand():
    for number in (0, 1):
        constants = [(case.x, case.y)[number] for case in CASES]
        found = Counter(operand.content for operand in constants if operand.origin == "constant")
        assert found.keys() == {*CONTENTS, *NEAR_CONTENTS}


def test_sizes_differ_beside_constants_of_each_content_and_in_a_renamed_variable():
    invalid = [case for case in CASES if expected_error(case) is not None]
    kinds = [(case.same_variable, case.x.content, case.y.content) for case in invalid]
    assert Counter(kinds) == {
        (True, "drawn", "drawn"): 2,
        (False, "drawn", "drawn"): 8,
        **{(False, content, "drawn"): 4 for content in CONTENTS[1:]},
        **{(False, "drawn", content): 4 for content in CONTENTS[1:]},
    }


def test_products_of_more_axes_or_of_fewer_have_every_memory_layout():
    found = Counter(case.x.layout for case in CASES if case.x.layout == case.y.layout)
    assert found.keys() == {*LAYOUTS}
    assert {*map(found.get, LAYOUTS[1:])} == {6}
