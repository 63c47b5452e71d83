"""The batches of a campaign: the same everywhere, each once, and a sample for slow compilers."""

import pickle
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, islice

import pytest

import refdot as rd
from refdot.cases.patterns import patterns
from refdot.check import plan as batches_module
from refdot.check.plan import PROFILES, Batch, Campaign, Profile, Shard, spread
from refdot.targets.callable import CallableTarget
from refdot.targets.protocol import Backend, Unsupported, unsupported_reason
from refdot.targets.registry import find_target

case_at = cache(batches_module.case_at)


@pytest.fixture(autouse=True)
def _cases_drawn_once(monkeypatch):
    """Let all campaigns of this module share their cases, which take longest to draw."""
    monkeypatch.setattr(batches_module, "case_at", case_at)


@dataclass
class Fleet(CallableTarget):
    """A target of several backends and lowerings."""

    lowerings: tuple[str, ...] = ("stock", "inlined")
    default_lowerings: tuple[str, ...] = ("stock", "inlined")
    fleet: tuple[Backend, ...] = (Backend("cheap"), Backend("dear", slow_to_compile=True))

    def backends(self):
        return self.fleet


FLEET = Fleet(rd.dot, "fleet")
SMALL = Profile(8, 1, thorough=False, sample=3)


def campaign(profile: Profile, *backends: str, seed: int = 0) -> Campaign:
    """Ask for some backends of the fleet."""
    return Campaign(profile, seed, backends or ("cheap", "dear"), ("stock", "inlined"))


def given_to(backend: str, batches: list[Batch]) -> list[Batch]:
    """Give the batches in which a backend has work."""
    return [batch for batch in batches if backend in {to.backend for to, _ in batch.work}]


def test_batches_are_plain_data_and_the_same_each_time():
    batches = list(campaign(SMALL).batches(FLEET))
    assert pickle.loads(pickle.dumps(batches)) == batches
    assert list(campaign(SMALL).batches(FLEET)) == batches
    assert list(campaign(SMALL, seed=1).batches(FLEET)) != batches


@pytest.mark.parametrize("of", [1, 2, 3, 7, 40])
def test_shards_have_each_batch_once(of):
    whole = list(campaign(SMALL).batches(FLEET))
    shards = [list(campaign(SMALL).batches(FLEET, Shard(n, of))) for n in range(1, of + 1)]
    assert sorted(map(repr, chain(*shards))) == sorted(map(repr, whole))
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 2


def test_each_says_how_far_it_is():
    told = [(batch.stage, batch.number, batch.of) for batch in campaign(SMALL).batches(FLEET)]
    assert told == [
        ("judging smoke cases", 1, 1),
        *(("judging", number, 8) for number in range(1, 9)),
        *(("judging every pattern of rank 1", number, 11) for number in range(1, 12)),
    ]


def test_a_case_that_no_backend_does_is_in_the_batch_of_the_next():
    odd = Unsupported("odd", lambda case: len(case.x.dims) % 2 == 1)
    target = replace(FLEET, fleet=(Backend("cheap", unsupported=(odd,)),))
    batches = list(campaign(Profile(10), "cheap").batches(target))
    assert len(batches) == 10
    for batch in batches:
        (cases,) = {cases for _, cases in batch.work}
        refused = [unsupported_reason(target, case, "cheap") is not None for case in cases]
        assert refused == [True] * (len(cases) - 1) + [False]
    assert sum(len(batch.work[0][1]) for batch in batches) > 15


def test_a_target_that_does_nothing_is_asked_for_an_end():
    nothing = replace(FLEET, unsupported=(Unsupported("nothing", lambda case: True),))
    (batch,) = campaign(Profile(1), "cheap").batches(nothing)
    assert (batch.number, batch.of, len(batch.work)) == (0, 1, 2)
    assert len(batch.work[0][1]) > 90


# Each: the profile, the backends asked for, and how many drawn cases and patterns each one gets.
SAMPLES = {
    "dear beside cheap": (SMALL, ("cheap", "dear"), {"cheap": (8, 11), "dear": (3, 3)}),
    "dear alone": (SMALL, ("dear",), {"dear": (3, 3)}),
    "cheap alone": (SMALL, ("cheap",), {"cheap": (8, 11)}),
    "no sample": (replace(SMALL, sample=None), ("dear",), {"dear": (8, 11)}),
    "a sample of none": (replace(SMALL, sample=0), ("cheap", "dear"), {"dear": (0, 0)}),
    "more than there are": (replace(SMALL, sample=20), ("dear",), {"dear": (8, 11)}),
    "no patterns": (Profile(8, sample=3), ("dear",), {"dear": (3, 0)}),
}


@pytest.mark.parametrize(("profile", "backends", "expected"), SAMPLES.values(), ids=SAMPLES)
def test_a_backend_to_which_graphs_are_dear_gets_a_sample(profile, backends, expected):
    batches = list(campaign(profile, *backends).batches(FLEET))
    assert all(batch.work for batch in batches)
    for backend, (drawn, of_patterns) in expected.items():
        own = given_to(backend, batches)
        count = Counter(batch.stage.split(" of ")[0] for batch in own)
        assert (count["judging"], count["judging every pattern"]) == (drawn, of_patterns)


def test_a_pattern_in_the_sample_is_one_graph_and_one_in_four_is_differentiated():
    profile = Profile(1, 2, thorough=True, sample=12)
    for batch in given_to("dear", list(campaign(profile, "dear").batches(FLEET))):
        for _, cases in batch.work if batch.pattern else ():
            assert not any(any(case.x.static + case.y.static) for case in cases)
    own = [batch for batch in campaign(profile, "dear").batches(FLEET) if batch.pattern]
    orders = [
        {(to.lowering, case.gradient_order) for to, cases in batch.work for case in cases}
        for batch in own
    ]
    forward = {("stock", 0), ("inlined", 0)}
    assert orders == ([forward | {("inlined", 1)}] + [forward] * 3) * 3


def test_seeds_share_out_the_patterns():
    def chosen(seed):
        batches = campaign(Profile(1, 2, sample=5), "dear", seed=seed).batches(FLEET)
        return {batch.pattern for batch in batches if batch.pattern}

    assert len(set.union(*map(chosen, range(20)))) > 80
    assert len([*patterns(2)]) == 107


def test_no_place_is_chosen_twice():
    for seed in range(50):
        places = spread(7, 50, seed)
        assert len({*places}) == 7
        assert 0 <= min(places) <= max(places) < 50


def test_profiles_grow():
    assert [*PROFILES] == ["quick", "standard", "deep"]
    for name in ("cases", "exhaustive", "thorough", "sample"):
        amounts = [getattr(profile, name) for profile in PROFILES.values()]
        assert amounts == sorted(amounts)


def test_what_is_drawn_further_never_ends_and_is_new():
    asked = campaign(Profile(3, 2), "cheap")
    first = [batch for batch in asked.batches(FLEET) if batch.pattern is None]
    further = list(islice(asked.further(FLEET), 20))
    cases = [case for batch in [*first, *further] for case in batch.work[0][1]]
    assert len({*cases}) > 20
    assert not any(batch.pattern for batch in further)


# The cases


def test_cases_are_distinct_and_so_are_those_of_other_seeds():
    assert len({case_at(0, index) for index in range(100)}) >= 95
    assert len({case_at(seed, 5) for seed in range(20)}) >= 19


def test_xarrays_cases_are_those_within_its_limits():
    asked = Campaign(Profile(20), 0, ("call",), ("stock",))
    assert len(list(asked.batches(find_target("xarray")))) == 20
