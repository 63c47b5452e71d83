"""The batches of a campaign: the same everywhere, each once, and samples for slow compilers."""

import pickle
from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain, islice

import pytest

import refdot as rd
from refdot.cases.boundaries import static_size_cases, summed_dims_cases
from refdot.cases.kernels import KERNELS
from refdot.cases.pairs import pairwise_cases
from refdot.cases.patterns import patterns
from refdot.check import plan
from refdot.check.plan import (
    PROFILES,
    Batch,
    Campaign,
    Configuration,
    Profile,
    Shard,
    evenly_spaced,
)
from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Backend, Unsupported, unsupported_reason
from refdot.targets.registry import find_target


@dataclass
class Fleet(CallableTarget):
    """A target with several backends and lowerings."""

    stages: tuple[str, ...] = ("run",)
    lowerings: tuple[str, ...] = ("stock", "inlined")
    default_lowerings: tuple[str, ...] = ("stock", "inlined")
    fleet: tuple[Backend, ...] = (
        Backend("fast"),
        Backend("slow", slow_to_compile=True),
        Backend("usual", slow_to_compile=True, share=2),
    )

    def backends(self):
        return self.fleet


FLEET = Fleet(rd.dot, "fleet")
SMALL = Profile(8, 1, thorough=False, sample=3)


def campaign(profile: Profile, *backends: str, seed: int = 0) -> Campaign:
    """Return a campaign on some backends of the fleet."""
    return Campaign(profile, seed, backends or ("fast", "slow"), ("stock", "inlined"))


def given_to(backend: str, batches: list[Batch]) -> list[Batch]:
    """Return the batches with cases for a backend."""
    return [batch for batch in batches if backend in {to.backend for to, _ in batch.work}]


@pytest.mark.parametrize(("number", "of"), [(0, 0), (1, 0), (0, 1), (3, 2), (-1, 2)])
def test_a_shard_is_one_of_the_parts(number, of):
    message = f"expected I/N with I from 1 to N, got {number}/{of}"
    with pytest.raises(ValueError, match=f"^{message}$"):
        Shard(number, of)


def test_batches_are_plain_data_and_the_same_each_time():
    batches = list(campaign(SMALL).batches(FLEET))
    assert pickle.loads(pickle.dumps(batches)) == batches
    assert list(campaign(SMALL).batches(FLEET)) == batches
    assert list(campaign(SMALL, seed=1).batches(FLEET)) != batches


@pytest.mark.parametrize("of", [1, 2, 7])
def test_shards_have_each_batch_once(of):
    whole = list(campaign(SMALL).batches(FLEET))
    shards = [list(campaign(SMALL).batches(FLEET, Shard(n, of))) for n in range(1, of + 1)]
    assert sorted(map(repr, chain(*shards))) == sorted(map(repr, whole))
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 2


def test_each_batch_has_its_number_within_its_stage():
    found = [(batch.stage, batch.number, batch.total) for batch in campaign(SMALL).batches(FLEET)]
    assert found == [
        *(("judging smoke cases", number, 2) for number in (1, 2)),
        *(("judging boundary cases", number, 10) for number in range(1, 11)),
        *(("judging static sizes", number, 2) for number in (1, 2)),
        *(("judging pairwise cases", number, 2) for number in (1, 2)),
        *(("judging kernels", number, 14) for number in range(1, 15)),
        *(("judging random cases", number, 8) for number in range(1, 9)),
        *(("judging dim patterns up to rank 1", number, 11) for number in range(1, 12)),
    ]


def test_an_unsupported_case_is_in_the_batch_of_the_next_case():
    odd = Unsupported("odd", lambda case: len(case.x.dims) % 2 == 1)
    target = replace(FLEET, fleet=(Backend("fast", unsupported=(odd,)),))
    batches = list(campaign(Profile(10, fixed=False), "fast").batches(target))
    assert len(batches) == 10
    for batch in batches:
        (cases,) = {cases for _, cases in batch.work}
        unsupported = [unsupported_reason(target, case, "fast") is not None for case in cases]
        assert unsupported == [True] * (len(cases) - 1) + [False]
    assert sum(len(batch.work[0][1]) for batch in batches) > 15


def test_a_target_that_supports_nothing_ends_the_campaign():
    nothing = replace(FLEET, unsupported=(Unsupported("nothing", lambda case: True),))
    (batch,) = campaign(Profile(1, fixed=False), "fast").batches(nothing)
    assert (batch.number, batch.total, len(batch.work)) == (0, 1, 2)
    assert len(batch.work[0][1]) > 90


# Each: the profile, the backends of the campaign, and the random cases and patterns of each one.
SAMPLES = {
    "slow and fast": (SMALL, ("fast", "slow"), {"fast": (8, 11), "slow": (3, 3)}),
    "slow alone": (SMALL, ("slow",), {"slow": (3, 3)}),
    "fast alone": (SMALL, ("fast",), {"fast": (8, 11)}),
    "no sample": (replace(SMALL, sample=None), ("slow",), {"slow": (8, 11)}),
    "a sample of none": (replace(SMALL, sample=0), ("fast", "slow"), {"slow": (0, 0)}),
    "more than there are": (replace(SMALL, sample=20), ("slow",), {"slow": (8, 11)}),
    "no patterns": (Profile(8, sample=3), ("slow",), {"slow": (3, 0)}),
    "a larger share": (SMALL, ("usual", "slow"), {"usual": (6, 6), "slow": (3, 3)}),
}


@pytest.mark.parametrize(("profile", "backends", "expected"), SAMPLES.values(), ids=SAMPLES)
def test_a_backend_that_compiles_slowly_gets_a_sample(profile, backends, expected):
    batches = list(campaign(profile, *backends).batches(FLEET))
    assert all(batch.work for batch in batches)
    for backend, (random, of_patterns) in expected.items():
        own = given_to(backend, batches)
        stages = Counter(batch.stage.split(" up to ")[0] for batch in own)
        found = stages["judging random cases"], stages["judging dim patterns"]
        assert found == (random, of_patterns)


def lowerings_of(batches: list[Batch]) -> list[set[str]]:
    """Return the lowerings in each batch."""
    return [{to.lowering for to, _ in batch.work} for batch in batches]


def test_a_sampled_random_case_runs_with_one_lowering_and_the_next_one_with_another():
    profile = Profile(8, sample=4, fixed=False)
    lowerings = lowerings_of(list(campaign(profile, "slow").batches(FLEET)))
    assert lowerings == [{"inlined"}, {"stock"}] * 2


@pytest.mark.parametrize("thorough", [False, True])
def test_a_sampled_random_case_has_no_second_gradients_unless_thorough(thorough):
    profile = Profile(60, sample=60, thorough=thorough, fixed=False)
    orders = [
        {case.gradient_order for case in cases}
        for batch in given_to("slow", list(campaign(profile, "fast", "slow").batches(FLEET)))
        for to, cases in batch.work
        if to.backend == "slow"
    ]
    assert (2 in set().union(*orders)) == thorough


def test_a_sampled_pattern_is_one_graph_with_one_lowering_and_one_in_four_has_gradients():
    profile = Profile(1, 2, thorough=True, sample=12)
    own = [batch for batch in campaign(profile, "slow").batches(FLEET) if batch.pattern]
    for batch in own:
        for _, cases in batch.work:
            assert not any(any(case.x.static + case.y.static) for case in cases)
    orders = [
        {(to.lowering, case.gradient_order) for to, cases in batch.work for case in cases}
        for batch in own
    ]
    stock, inlined, gradient = ("stock", 0), ("inlined", 0), ("inlined", 1)
    assert orders == [{stock, gradient}, {inlined}, {stock}, {inlined}] * 3


FIXED = ("judging smoke cases", "judging kernels", "judging boundary cases")


@pytest.mark.parametrize("backends", [("fast",), ("slow",), ("fast", "slow")])
def test_every_run_has_smoke_cases_and_kernel_cases_however_many_others_it_has(backends):
    for profile in (SMALL, Profile(1), Profile(8, sample=None)):
        batches = list(campaign(profile, *backends).batches(FLEET))
        assert {batch.stage for batch in batches} > {"judging smoke cases", "judging kernels"}
        kernels = [batch for batch in batches if batch.stage == "judging kernels"]
        for backend in backends:
            assert given_to(backend, kernels) == kernels


def test_fast_backends_have_the_fixed_cases_and_slow_ones_the_kernels_with_the_last_lowering():
    batches = [b for b in campaign(SMALL, "fast", "slow").batches(FLEET) if b.stage in FIXED]
    slow = given_to("slow", batches)
    assert [batch.stage for batch in slow] == ["judging kernels"] * (len(KERNELS) + 2)
    for batch in slow:
        assert {to for to, _ in batch.work if to.backend == "slow"} == {
            Configuration("slow", "inlined")
        }
    fast = [{to.lowering for to, _ in b.work if to.backend == "fast"} for b in batches]
    assert fast[:2] == [{"stock"}, {"inlined"}]  # the smoke cases
    assert fast[2:] == [{"stock", "inlined"}] * (len(KERNELS) + 12)


@pytest.mark.parametrize(
    ("stage", "cases"),
    [
        ("judging static sizes", chain(summed_dims_cases(), static_size_cases(0, True))),
        ("judging pairwise cases", pairwise_cases()),
    ],
)
def test_cases_with_a_graph_of_their_own_have_the_lowerings_in_turn(stage, cases):
    batches = [b for b in campaign(SMALL, "fast").batches(FLEET) if b.stage == stage]
    assert lowerings_of(batches) == [{"stock"}, {"inlined"}]
    dealt = chain(*zip(*(batch.work[0][1] for batch in batches), strict=True))
    assert list(dealt) == list(cases)


def test_random_cases_have_the_lowerings_in_turn_unless_thorough():
    def lowerings(profile):
        batches = campaign(profile, "fast").batches(FLEET)
        return lowerings_of([b for b in batches if b.stage == "judging random cases"])

    assert lowerings(SMALL) == [{"inlined"}, {"stock"}] * 4
    assert lowerings(replace(SMALL, thorough=True)) == [{"stock", "inlined"}] * 8


def test_a_backend_that_compiles_each_layout_gets_few_of_them_unless_thorough():
    fleet = (Backend("slow", slow_to_compile=True, compiles_each_layout=True), Backend("fast"))
    target = replace(FLEET, fleet=fleet, stages=("build", "run"))

    def layouts(profile, backend):
        batches = campaign(profile, "fast", "slow").batches(target)
        kernels = given_to(backend, [b for b in batches if b.stage == "judging kernels"])
        assert kernels.pop().needs_empty_cache  # those with similar graphs
        assert len(kernels.pop().work[-1][1]) == 11  # those with static sizes
        return {
            batch.number: {
                case.x.layout for to, cases in batch.work if to.backend == backend for case in cases
            }
            for batch in kernels
        }

    few, many = layouts(SMALL, "slow"), layouts(SMALL, "fast")
    with_gaps = {"c", "reversed", "strided", "slice"}
    for number, (name, kernel) in enumerate(KERNELS.items(), 1):
        if kernel.has_every_layout:
            assert with_gaps | {"windows", "broadcast"} <= few[number], name
            assert len(few[number]) <= 7
        else:
            assert few[number] == ({"c"} if kernel.is_slow_to_compile else with_gaps), name
    assert ["reversed" in found for found in few.values()].count(False) == 3
    # It compiles once for all arrays with gaps.
    assert all(few[number] <= many[number] for number in few)
    assert sum(few[number] < many[number] for number in few) > len(few) / 2
    thorough = replace(SMALL, thorough=True)
    assert layouts(thorough, "slow") == layouts(thorough, "fast")


def test_one_pattern_in_four_has_static_sizes_unless_thorough():
    target = replace(FLEET, stages=("build", "run"))

    def with_static_sizes(profile, seed=0):
        batches = campaign(profile, "fast", seed=seed).batches(target)
        own = [batch for batch in batches if batch.pattern]
        return {
            batch.pattern
            for batch in own
            if any(any(case.x.static) for _, cases in batch.work for case in cases)
        }

    every = Profile(1, 2, thorough=True)
    few = replace(every, thorough=False)
    ranked = {pattern for pattern in patterns(2) if pattern.x_dims}
    assert with_static_sizes(every) == ranked
    assert len(with_static_sizes(few)) in (25, 26)
    assert set.union(*(with_static_sizes(few, seed) for seed in range(4))) == ranked


def test_slow_backends_alone_have_the_smoke_cases_of_few_graphs():
    batches = [b for b in campaign(SMALL, "slow").batches(FLEET) if b.stage in FIXED]
    assert lowerings_of(batches) == [{"inlined"}] * (3 + len(KERNELS))
    cases = batches[0].work[0][1]
    assert 20 < len(cases) < 50
    assert not any(any(case.x.static + case.y.static) or case.gradient_order for case in cases)


def test_each_seed_samples_other_patterns():
    def chosen(seed):
        batches = campaign(Profile(1, 2, sample=5), "slow", seed=seed).batches(FLEET)
        return {batch.pattern for batch in batches if batch.pattern}

    assert len(set.union(*map(chosen, range(20)))) > 80
    assert len([*patterns(2)]) == 107


def test_evenly_spaced_indices_are_distinct():
    for seed in range(50):
        places = evenly_spaced(7, 50, seed)
        assert len({*places}) == 7
        assert 0 <= min(places) <= max(places) < 50


def test_profiles_grow():
    assert [*PROFILES] == ["quick", "standard", "deep"]
    for name in ("cases", "exhaustive", "thorough", "sample"):
        amounts = [getattr(profile, name) for profile in PROFILES.values()]
        assert amounts == sorted(amounts)


def test_further_batches_have_new_cases_without_end():
    whole = campaign(Profile(3, 2, fixed=False), "fast")
    first = [batch for batch in whole.batches(FLEET) if batch.pattern is None]
    further = list(islice(whole.further_batches(FLEET), 20))
    cases = [case for batch in [*first, *further] for case in batch.work[0][1]]
    assert len({*cases}) > 20
    assert not any(batch.pattern for batch in further)


# The cases


def test_cases_are_distinct_and_so_are_those_of_other_seeds():
    assert len({plan.case_at(0, index) for index in range(100)}) >= 95
    assert len({plan.case_at(seed, 5) for seed in range(20)}) >= 19


def test_xarray_gets_as_many_supported_cases_as_requested():
    requested = Campaign(Profile(20, fixed=False), 0, ("call",), ("stock",))
    assert len(list(requested.batches(find_target("xarray")))) == 20


@pytest.mark.parametrize(("is_slow", "cases"), [(False, 2000), (True, 100)])
def test_a_function_has_more_random_cases_unless_it_is_slow(is_slow, cases):
    target = CallableTarget(rd.dot, "dot", is_slow=is_slow)
    assert PROFILES["quick"].for_target(target).cases == cases
    assert PROFILES["quick"].for_target(find_target("pytensor")).cases == 100
