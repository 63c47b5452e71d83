"""From names to positions: the roles of dims, the subscripts, and what is refused."""

import os
import subprocess
import sys
from collections import deque
from string import ascii_letters

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refdot.errors import DimNameError, DimNotFoundError, DimTypeError, DotError
from refdot.lowering import dim_names, lower_dot, symbols
from refdot.tensor import NamedTensor

ROLES = ("contracted", "batch", "x_free", "y_free", "x_summed", "y_summed")

# Each: the dims of x and of y, the `dim` argument, the subscripts, the output's dims.
LOWERINGS = {
    "two scalars": ("", "", None, ",->", ""),
    "a scalar scales": ("", "a b", None, ",ab->ab", "a b"),
    "scaled by a scalar": ("a b", "", None, "ab,->ab", "a b"),
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
    "free of x summed alone": ("a b", "b c", ("a", "b"), "ab,bc->c", "c"),
    "free of y summed alone": ("a b", "b c", ("b", "c"), "ab,bc->a", "a"),
    "each summed alone": ("a", "b", ("a", "b"), "a,b->", ""),
    "summed alone, nothing contracted": ("a b", "b", "a", "ab,b->b", "b"),
    "everything": ("a b", "b c", ..., "ab,bc->", ""),
    "everything of nothing": ("", "", ..., ",->", ""),
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

# Each spelling of: sum over a and b. Called for a fresh one, since some can be read once only.
SPELLINGS = {
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

TAKES = "dim must be None, ..., a str or an iterable of str, got "
# Each: what is given as `dim`, and the end of the message.
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

# Each: the dims of one operand, and the message, in which {} is the operand.
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

# Each: what is given as `dim`, the names missed, the message.
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
        "Dimension heads not found in either input (also not found: q, z); the dims are time, embd, head; "
        "did you mean head?",
    ),
]


@st.composite
def dims_and_dim(draw):
    """Draw the dims of both operands, and what to sum over."""
    x_dims, y_dims = (
        tuple(draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=5))) for _ in "xy"
    )
    every = sorted({*x_dims, *y_dims})
    named = st.sets(st.sampled_from(every)) if every else st.just(set())
    return x_dims, y_dims, draw(st.none() | st.just(...) | named)


def summed_over(x_dims, y_dims, dim):
    """Say rule R2 again: the dims that `dim` means."""
    if dim is None:
        return {*x_dims} & {*y_dims}
    return {*x_dims} | {*y_dims} if dim is ... else dim


@pytest.mark.parametrize(
    ("x_dims", "y_dims", "dim", "subscripts", "out_dims"), LOWERINGS.values(), ids=LOWERINGS
)
def test_names_become_subscripts(x_dims, y_dims, dim, subscripts, out_dims):
    lowered = lower_dot(x_dims.split(), y_dims.split(), dim)
    assert lowered.subscripts == subscripts
    assert lowered.out_dims == tuple(out_dims.split())
    assert (lowered.x_dims, lowered.y_dims) == (tuple(x_dims.split()), tuple(y_dims.split()))


@pytest.mark.parametrize(("lowered", "roles"), ROLES_OF_DIMS.values(), ids=ROLES_OF_DIMS)
def test_each_dim_has_its_role(lowered, roles):
    assert {role: getattr(lowered, role) for role in ROLES} == dict.fromkeys(ROLES, ()) | roles
    for role, dims in roles.items():
        assert {lowered.role(dim) for dim in dims} == {role.removeprefix("x_").removeprefix("y_")}


@given(dims_and_dim())
def test_roles_part_the_dims_and_the_output_has_those_kept(problem):
    x_dims, y_dims, dim = problem
    lowered = lower_dot(*problem)
    by_role = [name for role in ROLES for name in getattr(lowered, role)]
    assert sorted(by_role) == sorted(lowered.all_dims) == sorted({*x_dims, *y_dims})
    assert set(lowered.contracted + lowered.batch) == {*x_dims} & {*y_dims}
    assert set(lowered.x_free + lowered.x_summed) == {*x_dims} - {*y_dims}
    assert set(lowered.y_free + lowered.y_summed) == {*y_dims} - {*x_dims}
    every = [*x_dims, *(name for name in y_dims if name not in x_dims)]
    over = summed_over(x_dims, y_dims, dim)
    assert lowered.out_dims == tuple(name for name in every if name not in over)


@given(dims_and_dim())
def test_subscripts_say_what_the_dims_say(problem):
    lowered = lower_dot(*problem)
    name_of = dict(zip(ascii_letters, lowered.all_dims, strict=False))
    operands, out = lowered.subscripts.split("->")
    spelt = [tuple(name_of[symbol] for symbol in part) for part in (*operands.split(","), out)]
    assert spelt == [lowered.x_dims, lowered.y_dims, lowered.out_dims]


@given(dims_and_dim())
def test_shared_axes_pair_the_axes_of_one_name(problem):
    lowered = lower_dot(*problem)
    paired = [(lowered.x_dims[i], lowered.y_dims[j]) for i, j in lowered.shared_axes]
    assert paired == [(name, name) for name in lowered.x_dims if name in lowered.y_dims]


@given(dims_and_dim(), st.permutations("abcdef"))
def test_other_names_give_the_same_subscripts(problem, names):
    x_dims, y_dims, dim = problem
    other = dict(zip("abcdef", names, strict=True))
    renamed = [[other[name] for name in dims] for dims in (x_dims, y_dims)]
    dim_renamed = dim if dim in (None, ...) else {other[name] for name in dim}
    assert lower_dot(*renamed, dim_renamed).subscripts == lower_dot(*problem).subscripts


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_set_of_dims_may_be_spelt_in_any_way(spelling):
    lowered = lower_dot(("c", "a", "b"), ("b", "a"), spelling())
    assert lowered is lower_dot(("c", "a", "b"), ("b", "a"), ("a", "b"))
    assert lowered.subscripts == "abc,cb->a"


@pytest.mark.parametrize(
    "empty", [[], (), set(), frozenset(), {}, iter("")], ids=lambda empty: type(empty).__name__
)
def test_an_empty_dim_contracts_nothing(empty):
    assert lower_dot(("a", "b"), ("b", "a"), empty).subscripts == "ab,ba->ab"


@pytest.mark.parametrize("dim", ["time", ["time"], {"time": 3}])
def test_a_str_is_one_dim_and_not_its_letters(dim):
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
def test_one_meaning_has_one_equal_lowering(one, other):
    assert lower_dot(*one) == lower_dot(*other)


@pytest.mark.parametrize("dim", [None, ..., "b", ["b", "a"], []], ids=repr)
def test_equal_arguments_give_the_same_object(dim):
    assert lower_dot(["a", "b"], ("b", "c"), dim) is lower_dot(("a", "b"), iter("bc"), dim)


def test_a_lowering_is_frozen_and_hashable():
    lowered = lower_dot("a", "a")
    with pytest.raises(AttributeError, match=r"^cannot assign to field 'subscripts'$"):
        lowered.subscripts = ",->"
    assert {lowered: "known"}[lower_dot("a", "a")] == "known"


@pytest.mark.parametrize("count", [0, 1, 52, 53, 64, 128, 1000])
def test_symbols_never_run_out(count):
    assert len(set(symbols(count))) == len(symbols(count)) == count
    assert not set(symbols(count)) & set(",->. ")


@pytest.mark.parametrize("count", [53, 64, 128])
def test_many_dims_have_distinct_symbols(count):
    names = [f"dim {number}" for number in range(count)]
    lowered = lower_dot(names, names[::-1], names[::2])
    x, rest = lowered.subscripts.split(",")
    y, out = rest.split("->")
    assert len(set(x)) == count
    assert (y, out) == (x[::-1], x[1::2])
    assert lowered.out_dims == tuple(names[1::2])


@pytest.mark.parametrize(("dim", "ending"), WRONG_TYPES, ids=[end for _, end in WRONG_TYPES])
def test_a_dim_of_another_type_is_refused(dim, ending):
    with pytest.raises(DimTypeError) as info:
        lower_dot(("a", "b"), ("b",), dim)
    assert str(info.value) == TAKES + ending
    assert info.value.rule == "R2"


def test_of_a_set_the_first_wrong_member_by_spelling_is_told():
    with pytest.raises(DimTypeError, match=r": 30 is not a str$"):
        lower_dot(("a", "b"), ("b",), {5, 30})


def test_the_error_holds_the_dim_that_was_given():
    dim = ["a", 5]
    with pytest.raises(DimTypeError) as info:
        lower_dot("a", "a", dim)
    assert info.value.dim is dim


@pytest.mark.parametrize("operand", ["x", "y"])
@pytest.mark.parametrize(("dims", "message"), WRONG_DIMS, ids=[str(dims) for dims, _ in WRONG_DIMS])
def test_dims_are_distinct_and_not_empty_and_str(dims, message, operand):
    with pytest.raises(DimNameError) as info:
        lower_dot(*((dims, "a") if operand == "x" else ("a", dims)))
    assert str(info.value) == message.format(operand)
    assert (info.value.rule, info.value.operand, info.value.dims) == ("R1", operand, dims)


def test_dims_alone_are_those_of_a_tensor():
    assert dim_names(iter(["b", "a"])) == ("b", "a")
    with pytest.raises(DimNameError) as info:
        dim_names(["a", "a"])
    assert str(info.value) == f"{DUPLICATES} ('a', 'a'): 'a' appears twice in tensor"


@pytest.mark.parametrize(
    ("dim", "missing", "message"), NOT_FOUND, ids=[str(row[1]) for row in NOT_FOUND]
)
def test_a_dim_that_neither_operand_has_is_refused(dim, missing, message):
    with pytest.raises(DimNotFoundError) as info:
        lower_dot(("time", "embd"), ("embd", "head"), dim)
    assert str(info.value) == message
    assert info.value.rule == "R3"
    assert (info.value.missing, info.value.dims) == (missing, ("time", "embd", "head"))


def test_a_dim_of_two_scalars_is_refused():
    with pytest.raises(DimNotFoundError) as info:
        lower_dot((), (), "a")
    assert str(info.value) == "Dimension a not found in either input; there are no dims"


@pytest.mark.parametrize(
    ("x_dims", "y_dims", "dim", "message"),
    [
        (["a", "a"], ["b", "b"], 5, f"{DUPLICATES} ('a', 'a'): 'a' appears twice in x"),
        (["a"], ["b", "b"], 5, f"{DUPLICATES} ('b', 'b'): 'b' appears twice in y"),
        (["a"], ["b"], [5, "e"], f"{TAKES}[5, 'e']: 5 is not a str"),
        (["a"], ["b"], ["e", 5], f"{TAKES}['e', 5]: 5 is not a str"),
    ],
)
def test_x_is_judged_before_y_and_y_before_dim(x_dims, y_dims, dim, message):
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
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "1234"
    }
    assert len(said) == 1
    assert said != {""}


def test_a_lowering_prints_as_a_table():
    lowered = lower_dot(
        ("free", "batch", "summed", "contracted"),
        ("alone", "contracted", "batch", "own"),
        ("contracted", "summed", "alone"),
    )
    assert str(lowered).splitlines() == [
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
