"""The plan of a campaign: a sequence of batches of cases, the same on every machine."""

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
    "evenly_spaced",
    "pattern_counts",
]


# A backend that compiles slowly gets no case with more dims: their loops would take it a minute.
_MAX_SLOW_DIMS = 8
# It differentiates one in so many of its sampled patterns.
_PATTERNS_PER_GRADIENT = 4
# Further cases come from seeds this far apart: the seeds that people choose are closer together.
_SEED_STRIDE = 2**20
_GOLDEN_RATIO = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Profile:
    """How much to judge.

    Attributes
    ----------
    cases : int
        Number of random cases.
    exhaustive : int, optional
        The rank up to which to judge every dim pattern.
    thorough : bool
        Whether to judge all the cases of each pattern on every lowering. If not, the slow cases
        are left out, and gradients, errors and dtypes are judged on one lowering only.
    sample : int, optional
        The number of random cases, and of patterns, for a backend that compiles slowly; by
        default all.
    """

    cases: int
    exhaustive: int | None = None
    thorough: bool = True
    sample: int | None = None

    def for_target(self, target: Target) -> Profile:
        """Return the profile with 20 times as many cases if the target builds no graphs.

        Judging these takes about the same time.
        """
        return self if "build" in target.stages else replace(self, cases=20 * self.cases)


PROFILES = {
    "quick": Profile(100, 2, thorough=False, sample=5),
    "standard": Profile(1000, 2, sample=20),
    "deep": Profile(20_000, 3, sample=300),
}


@dataclass(frozen=True, order=True)
class Shard:
    """One of several parts of a campaign, each of which can run on its own machine.

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
    """A backend and a lowering on which a target runs."""

    backend: str
    lowering: str


@dataclass(frozen=True)
class Batch:
    """Cases that are judged together, in one process.

    Attributes
    ----------
    work : tuple of (Configuration, tuple of DotCase)
        The distinct cases for each configuration.
    only : tuple of str
        Aspects to judge, from `refdot.rules.ASPECTS`; all if empty.
    pattern : Pattern, optional
        The dim pattern of the cases.
    size_variants : bool
        Whether to judge the size variants of each case as well. They are not counted.
    stage : str
        The part of the campaign, for progress messages.
    number, total : int
        The number of this batch within its stage, and the number of batches in the stage.
    """

    work: tuple[tuple[Configuration, tuple[DotCase, ...]], ...]
    only: tuple[str, ...] = ()
    pattern: Pattern | None = None
    size_variants: bool = False
    stage: str = "judging random cases"
    number: int = 1
    total: int = 1

    @property
    def pattern_counts(self) -> list[tuple[int, int]]:
        """The dim patterns of each rank in this batch, as in `Coverage.patterns`."""
        if self.pattern is None:
            return []
        rank = max(len(self.pattern.x_dims), len(self.pattern.y_dims))
        return [(0, 0)] * rank + [(1, 0)]


@dataclass(frozen=True)
class Campaign:
    """The options that determine the batches, as plain data.

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
        """Yield the batches of a shard in order: smoke cases, random cases, dim patterns.

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
        sampled = self.sampled_backends(target)
        first = chain(self._smoke_batches(sampled), self._random_batches(target, sampled))
        yield from islice(first, shard.number - 1, None, shard.of)
        yield from self._pattern_batches(sampled, shard)

    def further_batches(self, target: Target, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield batches of more random cases, without end."""
        profile = replace(self.profile, exhaustive=None)
        for number in count(1):
            further = replace(self, seed=self.seed + number * _SEED_STRIDE, profile=profile)
            yield from further.batches(target, shard)

    def sampled_backends(self, target: Target) -> frozenset[str]:
        """Return the backends that judge a sample, because they compile slowly."""
        if self.profile.sample is None:
            return frozenset()
        return frozenset(
            b.name for b in target.backends() if b.slow_to_compile and b.name in self.backends
        )

    def batch(
        self,
        backends: Sequence[str],
        cases: Sequence[DotCase],
        stage: str,
        number: int = 1,
        total: int = 1,
    ) -> Batch:
        """Return a batch of the same cases on each of the backends and every lowering."""
        configurations = [Configuration(*names) for names in product(backends, self.lowerings)]
        work = tuple((configuration, tuple(cases)) for configuration in configurations)
        return Batch(work, self.only, stage=stage, number=number, total=total)

    def _smoke_batches(self, sampled: frozenset[str]) -> Iterator[Batch]:
        backends = [name for name in self.backends if name not in sampled]
        if backends and self.profile.exhaustive is not None:
            yield self.batch(backends, list(smoke_cases()), "judging smoke cases")

    def _random_batches(self, target: Target, sampled: frozenset[str]) -> Iterator[Batch]:
        """Draw distinct cases until the backends support as many as the profile asks for.

        Each of these is a batch, together with the unsupported cases drawn before it.
        """
        left = self.profile.sample or 0
        wanted = self.profile.cases
        if sampled.issuperset(self.backends):
            wanted = min(wanted, left)
        cases: list[DotCase] = []
        seen: set[DotCase] = set()
        number = 0
        stage = "judging random cases"
        # A target may support so little that such a case is drawn rarely, or never.
        for index in range(100 * wanted):
            case = case_at(self.seed, index)
            is_for_all = left > 0 and len(case.dims) <= _MAX_SLOW_DIMS
            backends = [name for name in self.backends if is_for_all or name not in sampled]
            if case in seen or not backends:
                continue
            seen.add(case)
            cases.append(case)
            if any(unsupported_reason(target, case, backend) is None for backend in backends):
                number += 1
                left -= is_for_all
                batch = self.batch(backends, cases, stage, number, wanted)
                yield replace(batch, size_variants="build" in target.stages)
                cases = []
            if number == wanted:
                return
        if cases:
            yield self.batch(self.backends, cases, stage, number, wanted)

    def _pattern_batches(self, sampled: frozenset[str], shard: Shard) -> Iterator[Batch]:
        """Yield a batch for each dim pattern; backends in `sampled` get some of the patterns."""
        rank = self.profile.exhaustive
        if rank is None:
            return
        total = sum(pattern_counts(rank))
        samples = {
            name: evenly_spaced(self.profile.sample or 0, total, self.seed) for name in sampled
        }
        if not sampled.issuperset(self.backends):
            wanted: Collection[int] = range(total)
        else:
            wanted = {index for sample in samples.values() for index in sample}
        chosen = (each for each in enumerate(patterns(rank)) if each[0] in wanted)
        stage = f"judging dim patterns up to rank {rank}"
        own = islice(enumerate(chosen, 1), shard.number - 1, None, shard.of)
        for number, (index, pattern) in own:
            work = []
            for backend, lowering in product(self.backends, self.lowerings):
                if backend not in sampled:
                    cases = self._pattern_cases(pattern, lowering)
                elif index in samples[backend]:
                    with_gradients = samples[backend].index(index) % _PATTERNS_PER_GRADIENT == 0
                    cases = self._sampled_pattern_cases(pattern, lowering, with_gradients)
                else:
                    continue
                distinct = tuple(dict.fromkeys(cases))
                work.append((Configuration(backend, lowering), distinct))
            yield Batch(
                tuple(work), self.only, pattern, stage=stage, number=number, total=len(wanted)
            )

    def _pattern_cases(self, pattern: Pattern, lowering: str) -> Iterator[DotCase]:
        """Yield the cases of a pattern for one lowering.

        Unless thorough, gradients run on the last lowering, which is the fastest where it leaves
        no inner graph, and errors and dtypes on the first one.
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

    def _sampled_pattern_cases(
        self, pattern: Pattern, lowering: str, with_gradients: bool
    ) -> Iterator[DotCase]:
        """Yield the cases of a pattern that share one graph, and possibly one gradient graph.

        They have no static sizes, so that one compiled function takes all sizes and values,
        including sizes that do not match.
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
    """Return the number of dim patterns of each rank from 0 to `rank`.

    Examples
    --------
    >>> pattern_counts(3)
    (1, 10, 96, 1136)
    """
    totals = [sum(1 for _ in patterns(highest)) for highest in range(rank + 1)]
    return tuple(total - before for before, total in pairwise([0, *totals]))


def evenly_spaced(count: int, total: int, seed: int) -> list[int]:
    """Return `count` indices below `total` at equal distances; each seed shifts them.

    Examples
    --------
    >>> evenly_spaced(4, 100, seed=0), evenly_spaced(4, 100, seed=1)
    ([12, 37, 62, 87], [2, 27, 52, 77])
    """
    # Multiples of the golden ratio fall evenly between 0 and 1, however many there are.
    start = (0.5 + seed * _GOLDEN_RATIO) % 1
    count = min(count, total)
    return [int((number + start) * total / count) for number in range(count)]
