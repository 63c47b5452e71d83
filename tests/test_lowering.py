"""Lowerings have the right roles and subscripts, and invalid dims are rejected."""

from collections import deque
from enum import Enum
from string import ascii_letters

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import run_python

from refdot.errors import DimNameError, DimNotFoundError, DimTypeError, DotError
from refdot.lowering import dim_names, lower_dot, symbols
from refdot.tensor import NamedTensor

ROLES = ("contracted", "batch", "x_free", "y_free", "x_summed", "y_summed")

# The dims of x and y, the `dim` argument, the subscripts and the output dims.
LOWERINGS = {
    "two scalars": ("", "", None, ",->", ""),
    "a scalar by a matrix": ("", "a b", None, ",ab->ab", "a b"),
    "a matrix by a scalar": ("a b", "", None, "ab,->ab", "a b"),
    "inner product": ("a", "a", None, "a,a->", ""),
    "elementwise product": ("a", "a", [], "a,a->a", "a"),
    "outer product": ("a", "b", None, "a,b->ab", "a b"),
    "matrix by vector": ("a b", "b", None, "ab,b->a", "a"),
    "vector by matrix": ("a", "a b", None, "a,ab->b", "b"),
    "matrix by matrix": ("a b", "b c", None, "ab,bc->ac", "a c"),
    "transposed on the left": ("b a", "b c", None, "ab,ac->bc", "a c"),
    "transposed on the right": ("a b", "c b", None, "ab,cb->ac", "a c"),
    "every dim shared, in another order": ("a b", "b a", None, "ab,ba->", ""),
    "the output keeps the order of x": ("a b", "b a", [], "ab,ba->ab", "a b"),
    "one shared dim kept": ("a b", "b a", "b", "ab,ba->a", "a"),
    "batched matrices": ("n a b", "n b c", "b", "abc,acd->abd", "n a c"),
    "batch dims in two orders": ("m n a", "a n m", "a", "abc,cba->ab", "m n"),
    "attention scores": (
        "batch head query embd",
        "batch head key embd",
        "embd",
        "abcd,abed->abce",
        "batch head query key",
    ),
    "two contracted dims": ("a b c", "c b d", None, "abc,cbd->ad", "a d"),
    "a dim of x summed alone": ("a b", "b c", ("a", "b"), "ab,bc->c", "c"),
    "a dim of y summed alone": ("a b", "b c", ("b", "c"), "ab,bc->a", "a"),
    "dims of both summed alone": ("a", "b", ("a", "b"), "a,b->", ""),
    "summed alone, nothing contracted": ("a b", "b", "a", "ab,b->b", "b"),
    "all dims": ("a b", "b c", ..., "ab,bc->", ""),
    "all dims of two scalars": ("", "", ..., ",->", ""),
    "every role at once": (
        "free batch summed contracted",
        "alone contracted batch own",
        ("contracted", "summed", "alone"),
        "abcd,edbf->abf",
        "free batch own",
    ),
}

ROLES_OF_DIMS = {
    "default": (
        lower_dot(("a", "b", "c"), ("c", "b", "d")),
        {"contracted": ("b", "c"), "x_free": ("a",), "y_free": ("d",)},
    ),
    "one named": (
        lower_dot(("a", "b", "c"), ("c", "b", "d"), "c"),
        {"contracted": ("c",), "batch": ("b",), "x_free": ("a",), "y_free": ("d",)},
    ),
    "none named": (
        lower_dot(("a", "b", "c"), ("c", "b", "d"), ()),
        {"batch": ("b", "c"), "x_free": ("a",), "y_free": ("d",)},
    ),
    "all": (
        lower_dot(("a", "b", "c"), ("c", "b", "d"), ...),
        {"contracted": ("b", "c"), "x_summed": ("a",), "y_summed": ("d",)},
    ),
    "summed alone": (
        lower_dot(("a", "b", "c"), ("c", "b", "d"), ("d", "a")),
        {"batch": ("b", "c"), "x_summed": ("a",), "y_summed": ("d",)},
    ),
}

# All ways to sum over a and b; functions, since an iterator can be read only once.
WAYS_TO_NAME_DIMS = {
    "list": lambda: ["a", "b"],
    "list, in another order": lambda: ["b", "a"],
    "list, with repeats": lambda: ["b", "a", "b", "b"],
    "tuple": lambda: ("a", "b"),
    "set": lambda: {"a", "b"},
    "frozenset": lambda: frozenset(("b", "a")),
    "dict": lambda: {"a": 2, "b": 3},
    "keys of a dict": lambda: {"b": 3, "a": 2}.keys(),
    "generator": lambda: (name for name in "ab"),
    "iterator": lambda: iter(["b", "a"]),
    "map": lambda: map(str.lower, "AB"),
    "deque": lambda: deque("ab"),
    "names of a lowering": lambda: lower_dot("a", "b").all_dims,
    "NumPy's str": lambda: [np.str_("a"), np.str_("b")],
}

DIM_MUST_BE = "dim must be None, ..., a str or an iterable of str, got "
# The `dim` argument, and the end of the message.
WRONG_TYPES = [
    (5, "5"),
    (0, "0"),
    (2.5, "2.5"),
    (True, "True"),
    (False, "False"),
    (NotImplemented, "NotImplemented"),
    (str, "<class 'str'>"),
    (b"ab", "b'ab'"),
    (b"", "b''"),
    (bytearray(b"ab"), "bytearray(b'ab')"),
    (np.array(["a", "b"]), "array(['a', 'b'], dtype='<U1')"),
    (np.array([]), "array([], dtype=float64)"),
    (np.arange(4).reshape(2, 2), "array([[0, 1], [2, 3]])"),
    (np.int64(1), "np.int64(1)"),
    (NamedTensor([2, 3], "a"), "NamedTensor(a: 2; int64) [2 3]"),
    ([...], "[Ellipsis]: Ellipsis is not a str"),
    ([None], "[None]: None is not a str"),
    (["a", 5], "['a', 5]: 5 is not a str"),
    ({"a": 2, 5: 3}, "{'a': 2, 5: 3}: 5 is not a str"),
    ({5}, "{5}: 5 is not a str"),
    (range(2), "range(0, 2): 0 is not a str"),
    ([("a", "b")], "[('a', 'b')]: ('a', 'b') is not a str"),
    (["b", ["a"], 5], "['b', ['a'], 5]: ['a'] is not a str"),
    ([b"a"], "[b'a']: b'a' is not a str"),
    ((name for name in ("a", 5)), "('a', 5): 5 is not a str"),
    (iter([True]), "(True,): True is not a str"),
]

DUPLICATES = "Dimensions must be unique. Found duplicates in"

# The dims of one operand, and the message, in which {} is the operand.
WRONG_DIMS = [
    (("a", "b", "a"), f"{DUPLICATES} ('a', 'b', 'a'): 'a' appears twice in {{}}"),
    (("a", "b", "b", "a"), f"{DUPLICATES} ('a', 'b', 'b', 'a'): 'b' appears twice in {{}}"),
    (("a", ""), "Dim '' is empty in {}: ('a', '')"),
    (("",), "Dim '' is empty in {}: ('',)"),
    (("a", 5), "Dim 5 is not a str in {}: ('a', 5)"),
    ((None, "a"), "Dim None is not a str in {}: (None, 'a')"),
    (("a", ("b",)), "Dim ('b',) is not a str in {}: ('a', ('b',))"),
    ((b"a",), "Dim b'a' is not a str in {}: (b'a',)"),
    ((..., "a"), "Dim Ellipsis is not a str in {}: (Ellipsis, 'a')"),
]
NOT_A_SEQUENCE = [
    (5, "Dims are not a sequence of str in {}: (5,)"),
    (None, "Dims are not a sequence of str in {}: (None,)"),
    ({"a"}, "Dims are not a sequence of str in {}: ({{'a'}},)"),
    (np.array("a"), "Dims are not a sequence of str in {}: (array('a', dtype='<U1'),)"),
]

# The `dim` argument, the missing names and the message.
NOT_FOUND = [
    ("e", ("e",), "Dimension e not found in either input; the dims are time, embd, head"),
    (["embd", "e"], ("e",), "Dimension e not found in either input; the dims are time, embd, head"),
    (
        "ebmd",
        ("ebmd",),
        "Dimension ebmd not found in either input; the dims are time, embd, head; "
        "did you mean embd?",
    ),
    (
        {"z", "heads", "q"},
        ("heads", "q", "z"),
        "Dimension heads not found in either input (also not found: q, z); "
        "the dims are time, embd, head; did you mean head?",
    ),
]


@st.composite
def dims_and_dim(draw):
    """Draw the dims of both operands, and a `dim` argument."""
    x_dims, y_dims = (
        tuple(draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=5))) for _ in "xy"
    )
    every = sorted({*x_dims, *y_dims})
    named = st.sets(st.sampled_from(every)) if every else st.just(set())
    return x_dims, y_dims, draw(st.none() | st.just(...) | named)


def summed_over(x_dims, y_dims, dim):
    """Return the dims that `dim` means by rule R2."""
    if dim is None:
        return {*x_dims} & {*y_dims}
    return {*x_dims} | {*y_dims} if dim is ... else dim


@pytest.mark.parametrize(
    ("x_dims", "y_dims", "dim", "subscripts", "out_dims"), LOWERINGS.values(), ids=LOWERINGS
)
def test_subscripts_and_output_dims(x_dims, y_dims, dim, subscripts, out_dims):
    lowering = lower_dot(x_dims.split(), y_dims.split(), dim)
    assert lowering.subscripts == subscripts
    assert lowering.out_dims == tuple(out_dims.split())
    assert (lowering.x_dims, lowering.y_dims) == (tuple(x_dims.split()), tuple(y_dims.split()))


@pytest.mark.parametrize(("lowering", "roles"), ROLES_OF_DIMS.values(), ids=ROLES_OF_DIMS)
def test_roles_of_dims(lowering, roles):
    assert {role: getattr(lowering, role) for role in ROLES} == dict.fromkeys(ROLES, ()) | roles
    for role, dims in roles.items():
        assert {lowering.role(dim) for dim in dims} == {role.removeprefix("x_").removeprefix("y_")}


@given(dims_and_dim())
def test_each_dim_has_one_role_and_the_output_has_the_kept_dims(problem):
    x_dims, y_dims, dim = problem
    lowering = lower_dot(*problem)
    by_role = [name for role in ROLES for name in getattr(lowering, role)]
    assert sorted(by_role) == sorted(lowering.all_dims) == sorted({*x_dims, *y_dims})
    assert set(lowering.contracted + lowering.batch) == {*x_dims} & {*y_dims}
    assert set(lowering.x_free + lowering.x_summed) == {*x_dims} - {*y_dims}
    assert set(lowering.y_free + lowering.y_summed) == {*y_dims} - {*x_dims}
    every = [*x_dims, *(name for name in y_dims if name not in x_dims)]
    over = summed_over(x_dims, y_dims, dim)
    assert lowering.out_dims == tuple(name for name in every if name not in over)


@given(dims_and_dim())
def test_subscripts_are_equivalent_to_the_dims(problem):
    lowering = lower_dot(*problem)
    name_of = dict(zip(ascii_letters, lowering.all_dims, strict=False))
    operands, out = lowering.subscripts.split("->")
    spelt = [tuple(name_of[symbol] for symbol in part) for part in (*operands.split(","), out)]
    assert spelt == [lowering.x_dims, lowering.y_dims, lowering.out_dims]


@given(dims_and_dim())
def test_shared_axes_are_the_axes_of_shared_dims(problem):
    lowering = lower_dot(*problem)
    paired = [(lowering.x_dims[i], lowering.y_dims[j]) for i, j in lowering.shared_axes]
    assert paired == [(name, name) for name in lowering.x_dims if name in lowering.y_dims]


@given(dims_and_dim(), st.permutations("abcdef"))
def test_subscripts_do_not_depend_on_names(problem, names):
    x_dims, y_dims, dim = problem
    other = dict(zip("abcdef", names, strict=True))
    renamed = [[other[name] for name in dims] for dims in (x_dims, y_dims)]
    dim_renamed = dim if dim in (None, ...) else {other[name] for name in dim}
    assert lower_dot(*renamed, dim_renamed).subscripts == lower_dot(*problem).subscripts


@pytest.mark.parametrize("make_dim", WAYS_TO_NAME_DIMS.values(), ids=WAYS_TO_NAME_DIMS)
def test_dim_may_be_any_iterable_of_names(make_dim):
    lowering = lower_dot(("c", "a", "b"), ("b", "a"), make_dim())
    assert lowering is lower_dot(("c", "a", "b"), ("b", "a"), ("a", "b"))
    assert lowering.subscripts == "abc,cb->a"


@pytest.mark.parametrize(
    "empty", [[], (), set(), frozenset(), {}, iter("")], ids=lambda empty: type(empty).__name__
)
def test_an_empty_dim_contracts_nothing(empty):
    assert lower_dot(("a", "b"), ("b", "a"), empty).subscripts == "ab,ba->ab"


@pytest.mark.parametrize("dim", ["time", ["time"], {"time": 3}])
def test_a_str_is_one_dim_not_its_letters(dim):
    assert lower_dot(("time", "t"), ("time",), dim).contracted == ("time",)
    assert lower_dot("time", ["time"], dim).x_dims == ("time",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((["a", "b"], ["b"], None), (("a", "b"), "b", "b")),
        ((("a", "b"), iter("b"), ["b"]), (("a", "b"), ("b",), {"b"})),
        ((("a",), ("b",), None), (("a",), ("b",), [])),
        ((("a",), ("b",), ...), (("a",), ("b",), ["b", "a"])),
    ],
)
def test_equivalent_arguments_give_equal_lowerings(one, other):
    assert lower_dot(*one) == lower_dot(*other)


@pytest.mark.parametrize("dim", [None, ..., "b", ["b", "a"], []], ids=repr)
def test_equal_arguments_give_the_same_object(dim):
    assert lower_dot(["a", "b"], ("b", "c"), dim) is lower_dot(("a", "b"), iter("bc"), dim)


def test_a_lowering_is_frozen_and_hashable():
    lowering = lower_dot("a", "a")
    with pytest.raises(AttributeError, match=r"^cannot assign to field 'subscripts'$"):
        lowering.subscripts = ",->"
    assert {lowering: "known"}[lower_dot("a", "a")] == "known"


@pytest.mark.parametrize("count", [0, 1, 52, 53, 64, 128, 1000])
def test_there_are_symbols_for_any_number_of_dims(count):
    assert len(set(symbols(count))) == len(symbols(count)) == count
    assert not set(symbols(count)) & set(",->. ")


@pytest.mark.parametrize("count", [53, 64, 128])
def test_many_dims_have_distinct_symbols(count):
    names = [f"dim {number}" for number in range(count)]
    lowering = lower_dot(names, names[::-1], names[::2])
    x, rest = lowering.subscripts.split(",")
    y, out = rest.split("->")
    assert len(set(x)) == count
    assert (y, out) == (x[::-1], x[1::2])
    assert lowering.out_dims == tuple(names[1::2])


@pytest.mark.parametrize(("dim", "ending"), WRONG_TYPES, ids=[end for _, end in WRONG_TYPES])
def test_a_dim_of_another_type_is_rejected(dim, ending):
    with pytest.raises(DimTypeError) as info:
        lower_dot(("a", "b"), ("b",), dim)
    assert str(info.value) == DIM_MUST_BE + ending
    assert info.value.rule == "R2"


def test_the_error_names_the_first_wrong_member_of_a_set_by_repr():
    with pytest.raises(DimTypeError, match=r": 30 is not a str$"):
        lower_dot(("a", "b"), ("b",), {5, 30})


def test_the_error_has_the_dim_argument():
    dim = ["a", 5]
    with pytest.raises(DimTypeError) as info:
        lower_dot("a", "a", dim)
    assert info.value.dim is dim


@pytest.mark.parametrize("operand", ["x", "y"])
@pytest.mark.parametrize(("dims", "message"), WRONG_DIMS, ids=[str(dims) for dims, _ in WRONG_DIMS])
def test_dims_that_are_not_distinct_non_empty_str_are_rejected(dims, message, operand):
    with pytest.raises(DimNameError) as info:
        lower_dot(*((dims, "a") if operand == "x" else ("a", dims)))
    assert str(info.value) == message.format(operand)
    assert (info.value.rule, info.value.operand, info.value.dims) == ("R1", operand, dims)


@pytest.mark.parametrize("operand", ["x", "y"])
@pytest.mark.parametrize(("dims", "message"), NOT_A_SEQUENCE)
def test_dims_that_are_not_a_sequence_are_rejected(dims, message, operand):
    with pytest.raises(DimNameError) as info:
        lower_dot(*((dims, "a") if operand == "x" else ("a", dims)))
    assert str(info.value) == message.format(operand)


# Names as members of an enumeration, whose `str()` is not the name.
Dim = Enum("Dim", {"TIME": "time", "EMBD": "embd"}, type=str)


class Odd(str):
    """A name that prints, compares and hashes as another one."""

    def __str__(self):
        return "other"

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)


@pytest.mark.parametrize("kind", [Dim, Odd, np.str_])
def test_the_name_of_a_dim_is_its_characters(kind):
    low = lower_dot(("batch", kind("time")), ("time", kind("embd")), dim=[kind("time")])
    assert (low.contracted, low.out_dims) == (("time",), ("batch", "embd"))
    assert {*map(type, low.all_dims)} == {str}
    assert lower_dot(("a", kind("time")), "time", dim=kind("time")).contracted == ("time",)


@pytest.mark.parametrize("kind", [Dim, Odd, np.str_])
def test_names_with_the_same_characters_are_repeated(kind):
    with pytest.raises(DimNameError, match="'time' appears twice in x"):
        lower_dot((kind("time"), kind("time")), ())


def test_dim_names_without_an_operand_are_those_of_a_tensor():
    assert dim_names(iter(["b", "a"])) == ("b", "a")
    with pytest.raises(DimNameError) as info:
        dim_names(["a", "a"])
    assert str(info.value) == f"{DUPLICATES} ('a', 'a'): 'a' appears twice in tensor"


@pytest.mark.parametrize(
    ("dim", "missing", "message"), NOT_FOUND, ids=[str(row[1]) for row in NOT_FOUND]
)
def test_a_dim_in_neither_operand_is_rejected(dim, missing, message):
    with pytest.raises(DimNotFoundError) as info:
        lower_dot(("time", "embd"), ("embd", "head"), dim)
    assert str(info.value) == message
    assert info.value.rule == "R3"
    assert (info.value.missing, info.value.dims) == (missing, ("time", "embd", "head"))


def test_a_dim_of_two_scalars_is_rejected():
    with pytest.raises(DimNotFoundError) as info:
        lower_dot((), (), "a")
    assert str(info.value) == "Dimension a not found in either input; there are no dims"


@pytest.mark.parametrize(
    ("x_dims", "y_dims", "dim", "message"),
    [
        (["a", "a"], ["b", "b"], 5, f"{DUPLICATES} ('a', 'a'): 'a' appears twice in x"),
        (["a"], ["b", "b"], 5, f"{DUPLICATES} ('b', 'b'): 'b' appears twice in y"),
        (["a"], ["b"], [5, "e"], f"{DIM_MUST_BE}[5, 'e']: 5 is not a str"),
        (["a"], ["b"], ["e", 5], f"{DIM_MUST_BE}['e', 5]: 5 is not a str"),
    ],
)
def test_x_is_checked_before_y_and_y_before_dim(x_dims, y_dims, dim, message):
    with pytest.raises(DotError) as info:
        lower_dot(x_dims, y_dims, dim)
    assert str(info.value) == message


@pytest.mark.parametrize(
    "dim",
    [
        "{'p', 'q', 'r', 's'}",
        "{'a', 'b', 'ax', 'bx', 'cx'}",
        "{'a', 'b', 'c', None, ('d',), 5, b'e'}",
        "{'a': 1, 5: 2, None: 3}",
    ],
)
def test_a_message_does_not_depend_on_the_hash_seed(dim):
    script = (
        "from refdot import DotError, lower_dot\n"
        f"try: print(lower_dot(('a', 'b'), ('b', 'c'), {dim}))\n"
        "except DotError as error: print(error)\n"
    )
    outputs = {run_python("-c", script, PYTHONHASHSEED=seed).stdout for seed in "1234"}
    assert len(outputs) == 1
    assert outputs != {""}


def test_a_lowering_prints_as_a_table():
    lowering = lower_dot(
        ("free", "batch", "summed", "contracted"),
        ("alone", "contracted", "batch", "own"),
        ("contracted", "summed", "alone"),
    )
    assert str(lowering).splitlines() == [
        "abcd,edbf->abf",
        "x           free batch summed contracted",
        "y           alone contracted batch own",
        "out         free batch own",
        "contracted  contracted",
        "batch       batch",
        "x free      free",
        "y free      own",
        "x summed    summed",
        "y summed    alone",
    ]
    assert str(lower_dot((), ())).splitlines() == [
        ",->",
        "x           (none)",
        "y           (none)",
        "out         (none)",
    ]
