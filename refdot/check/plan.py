"""Which cases a campaign judges: a sequence of batches, the same on every machine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, count, islice, pairwise, product

from refdot.cases.case import DotCase
from refdot.cases.patterns import (
    Pattern,
    disagreeing_cases_of,
    dtype_cases_of,
    forward_cases_of,
    gradient_cases_of,
    patterns,
    slow_cases_of,
)
from refdot.cases.random_cases import case_at
from refdot.cases.smoke import smoke_cases
from refdot.targets.protocol import Target, unsupported_reason

__all__ = [
    "PROFILES",
    "WHOLE",
    "Batch",
    "Campaign",
    "Configuration",
    "Profile",
    "Shard",
    "pattern_counts",
]


# Of more dims, a backend to which each graph is dear is given no case: it compiles their loops for
# a minute.
_SLOW_DIMS = 8
# Of the patterns in its sample, it differentiates one in so many.
_SLOW_GRADIENTS = 4
# The seeds that people give are nearer to each other.
_FAR = 2**20
_GOLDEN_RATIO = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Profile:
    """How much to judge.

    Attributes
    ----------
    cases : int
        How many cases to draw.
    exhaustive : int, optional
        The rank up to which to judge every pattern of dims.
    thorough : bool
        Whether with all the cases of each pattern on every lowering, or with those that are
        judged fast, and gradients, errors and dtypes on one lowering alone.
    sample : int, optional
        How many of the drawn cases, and of the patterns, are for a backend to which each graph is
        dear; by default all.
    """

    cases: int
    exhaustive: int | None = None
    thorough: bool = True
    sample: int | None = None

    def for_target(self, target: Target) -> Profile:
        """Draw as many more cases as take the same time, of a target that makes no graph."""
        return self if "build" in target.stages else replace(self, cases=20 * self.cases)


PROFILES = {
    "quick": Profile(100, 2, thorough=False, sample=5),
    "standard": Profile(1000, 2, sample=20),
    "deep": Profile(20_000, 3, sample=300),
}


@dataclass(frozen=True, order=True)
class Shard:
    """One of several parts of a campaign, each of which another machine can judge.

    Examples
    --------
    >>> str(Shard(2, 3))
    '2/3'
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Shard(1, 1)


@dataclass(frozen=True)
class Configuration:
    """One way to run a target: a backend and a lowering."""

    backend: str
    lowering: str


@dataclass(frozen=True)
class Batch:
    """Cases that are judged together, apart from all others, in whatever process.

    Attributes
    ----------
    work : tuple of (Configuration, tuple of DotCase)
        The distinct cases for each configuration.
    only : tuple of str
        Aspects to judge, of `refdot.compare.ASPECTS`; all if empty.
    pattern : Pattern, optional
        Whose cases they are.
    size_variants : bool
        Whether to judge the size_variants of each case with it; they are not counted.
    stage : str
        What it is a part of, for people.
    number, of : int
        Which part, and of how many.
    """

    work: tuple[tuple[Configuration, tuple[DotCase, ...]], ...]
    only: tuple[str, ...] = ()
    pattern: Pattern | None = None
    size_variants: bool = False
    stage: str = "judging"
    number: int = 1
    of: int = 1


@dataclass(frozen=True)
class Campaign:
    """What is asked of a target, as plain data.

    Attributes
    ----------
    profile : Profile
    seed : int
    backends, lowerings : tuple of str
    only : tuple of str
        Aspects to judge; all if empty.
    """

    profile: Profile
    seed: int
    backends: tuple[str, ...]
    lowerings: tuple[str, ...]
    only: tuple[str, ...] = ()

    def batches(self, target: Target, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Give the batches of a shard in order: smoke cases, each drawn case, each pattern.

        Examples
        --------
        >>> from refdot.targets.registry import find_target
        >>> target = find_target("xarray")
        >>> campaign = Campaign(Profile(3, exhaustive=1), 0, ("call",), ("stock",))
        >>> whole = list(campaign.batches(target))
        >>> len(whole)
        15
        >>> whole[1::2] == [
        ...     batch for batch in campaign.batches(target, Shard(2, 2))
        ... ]
        True
        """
        sampled = self.sampled(target)
        first = chain(self.smoke(sampled), self.drawn(target, sampled))
        yield from islice(first, shard.number - 1, None, shard.of)
        yield from self.of_patterns(sampled, shard)

    def further(self, target: Target, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Give batches of drawn cases without end: those of seeds far from this one's."""
        drawn = replace(self.profile, exhaustive=None)
        for number in count(1):
            further = replace(self, seed=self.seed + number * _FAR, profile=drawn)
            yield from further.batches(target, shard)

    def sampled(self, target: Target) -> frozenset[str]:
        """Name the backends that are given a sample."""
        if self.profile.sample is None:
            return frozenset()
        return frozenset(
            b.name for b in target.backends() if b.slow_to_compile and b.name in self.backends
        )

    def smoke(self, sampled: frozenset[str]) -> Iterator[Batch]:
        """Give a few cases that show most of what can go wrong, before all others."""
        backends = [name for name in self.backends if name not in sampled]
        if backends and self.profile.exhaustive is not None:
            yield self.batch(backends, list(smoke_cases()), "judging smoke cases", 1, 1)

    def drawn(self, target: Target, sampled: frozenset[str]) -> Iterator[Batch]:
        """Draw distinct cases until there are as many as asked for that some backend claims to do.

        Each is a batch, together with those drawn before it that none claims to do.
        """
        sample = left = self.profile.sample or 0
        wanted = self.profile.cases
        if sampled.issuperset(self.backends):
            wanted = min(wanted, sample)
        cases: list[DotCase] = []
        seen: set[DotCase] = set()
        number = 0
        # A target may be limited to so little that it is hardly ever drawn, or never.
        for index in range(100 * wanted):
            case = case_at(self.seed, index)
            is_for_all = left > 0 and len({*case.x.dims, *case.y.dims}) <= _SLOW_DIMS
            backends = [name for name in self.backends if is_for_all or name not in sampled]
            if case in seen or not backends:
                continue
            seen.add(case)
            cases.append(case)
            if any(unsupported_reason(target, case, backend) is None for backend in backends):
                number += 1
                left -= is_for_all
                drawn = self.batch(backends, cases, "judging", number, wanted)
                yield replace(drawn, size_variants="build" in target.stages)
                cases = []
            if number == wanted:
                return
        if cases:
            yield self.batch(self.backends, cases, "judging", number, wanted)

    def batch(
        self, backends: Sequence[str], cases: Sequence[DotCase], stage: str, number: int, of: int
    ) -> Batch:
        """Give the batch of the same cases on every lowering."""
        configurations = [Configuration(*names) for names in product(backends, self.lowerings)]
        work = tuple((configuration, tuple(cases)) for configuration in configurations)
        return Batch(work, self.only, stage=stage, number=number, of=of)

    def of_patterns(self, sampled: frozenset[str], shard: Shard) -> Iterator[Batch]:
        """Give the cases of each pattern on every backend, or of a sample of patterns on some."""
        rank = self.profile.exhaustive
        if rank is None:
            return
        total = sum(pattern_counts(rank))
        places = {name: spread(self.profile.sample or 0, total, self.seed) for name in sampled}
        if not sampled.issuperset(self.backends):
            wanted: Collection[int] = range(total)
        else:
            wanted = {number for name in sampled for number in places[name]}
        chosen = (each for each in enumerate(patterns(rank)) if each[0] in wanted)
        stage = f"judging every pattern of rank {rank}"
        own = islice(enumerate(chosen, 1), shard.number - 1, None, shard.of)
        for place, (number, pattern) in own:
            work = []
            for backend, lowering in product(self.backends, self.lowerings):
                if backend not in sampled:
                    cases = self.cases_of(pattern, lowering)
                elif number in places[backend]:
                    with_gradients = places[backend].index(number) % _SLOW_GRADIENTS == 0
                    cases = self.cheap_cases_of(pattern, lowering, with_gradients)
                else:
                    continue
                distinct = tuple(dict.fromkeys(cases))
                work.append((Configuration(backend, lowering), distinct))
            yield Batch(tuple(work), self.only, pattern, stage=stage, number=place, of=len(wanted))

    def cases_of(self, pattern: Pattern, lowering: str) -> Iterator[DotCase]:
        """Give the cases of a pattern for one lowering.

        Unless thorough, gradients are those of the last lowering, which are the fastest where it
        leaves no inner graph, and the rest is of the first.
        """
        thorough = self.profile.thorough
        yield from forward_cases_of(pattern)
        if thorough or lowering == self.lowerings[-1]:
            yield from gradient_cases_of(pattern)
        if thorough or lowering == self.lowerings[0]:
            yield from disagreeing_cases_of(pattern)
            if len(pattern.dims) == 1:
                yield from dtype_cases_of(pattern)
        if thorough:
            yield from slow_cases_of(pattern)

    def cheap_cases_of(
        self, pattern: Pattern, lowering: str, with_gradients: bool
    ) -> Iterator[DotCase]:
        """Give those cases of a pattern that are calls of one graph, and maybe of its gradient.

        Nothing is known beforehand, so that all sizes and numbers, also those that disagree, are
        given to the same function.
        """
        for case in (*forward_cases_of(pattern), *disagreeing_cases_of(pattern)):
            if not any(case.x.static + case.y.static):
                yield case
        if with_gradients and lowering == self.lowerings[-1]:
            for case in gradient_cases_of(pattern):
                if not any(case.x.static + case.y.static) and not case.same_variable:
                    yield case


@cache
def pattern_counts(rank: int) -> tuple[int, ...]:
    """Count the patterns of each rank up to one.

    Examples
    --------
    >>> pattern_counts(3)
    (1, 10, 96, 1136)
    """
    upto = [sum(1 for _ in patterns(highest)) for highest in range(rank + 1)]
    return tuple(after - before for before, after in pairwise([0, *upto]))


def spread(count: int, total: int, seed: int) -> list[int]:
    """Choose places among many, at equal distances; other seeds choose others.

    Examples
    --------
    >>> spread(4, 100, seed=0), spread(4, 100, seed=1)
    ([12, 37, 62, 87], [2, 27, 52, 77])
    """
    # Multiples of the golden ratio fall evenly between 0 and 1, however many there are.
    start = (0.5 + seed * _GOLDEN_RATIO) % 1
    count = min(count, total)
    return [int((number + start) * total / count) for number in range(count)]
