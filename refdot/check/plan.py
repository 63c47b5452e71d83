"""The plan of a campaign: a sequence of batches of cases, the same on every machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, count, filterfalse, islice, product
from typing import Any

from refdot.cases.boundaries import (
    DIM_COUNTS,
    dim_count_cases,
    exchanged_size_cases,
    static_size_cases,
    summed_dims_cases,
)
from refdot.cases.case import DotCase
from refdot.cases.kernels import (
    KERNELS,
    kernel_cases_of,
    similar_graph_cases,
    static_kernel_cases,
)
from refdot.cases.operands import operand_cases
from refdot.cases.pairs import pairwise_cases
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
from refdot.cases.spelling import spelling_cases
from refdot.programs.case import ProgramCase
from refdot.programs.random_programs import program_at
from refdot.programs.smoke import programs_of_every_backend, smoke_programs
from refdot.targets.protocol import ProgramTarget, Target, unsupported_reason

__all__ = [
    "LOOK",
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
# Unless the run is thorough, one in so many patterns has static sizes: nearly every case of these
# is a graph of its own. The seed determines which.
_PATTERNS_PER_STATIC = 4
# Further cases come from seeds this far apart: the seeds that people choose are closer together.
_SEED_STRIDE = 2**20
_GOLDEN_RATIO = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Profile:
    """How much to judge; see `refdot.check.run` for the fields."""

    cases: int
    exhaustive: int | None = None
    thorough: bool = True
    sample: int | None = None
    fixed: bool = True
    programs: int = 0
    sample_cases: int | None = None
    look: bool = False

    def for_target(self, target: Target) -> Profile:
        """Return the profile with 20 times as many cases if the target builds no graphs.

        Judging these takes about the same time, unless the target says that it is slow.
        """
        is_slow = "build" in target.stages or getattr(target, "is_slow", False)
        return self if is_slow else replace(self, cases=20 * self.cases)


# What `refdot check --quick` judges: seconds for a first answer.
LOOK = Profile(0, thorough=False, sample=0, look=True)
PROFILES = {
    "quick": Profile(100, 2, thorough=False, sample=3, programs=6),
    "standard": Profile(1000, 2, sample=20, programs=60),
    "deep": Profile(20_000, 3, sample=300, programs=600),
}


@dataclass(frozen=True, order=True)
class Shard:
    """One of several parts of a campaign, each of which can run on its own machine."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(f"expected I/N with I from 1 to N, got {self}")

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
    """Cases that are judged together, in one process."""

    # The distinct cases for each configuration.
    work: tuple[tuple[Configuration, tuple[DotCase, ...]], ...] = ()
    programs: tuple[tuple[Configuration, tuple[ProgramCase, ...]], ...] = ()
    only: tuple[str, ...] = ()  # aspects to judge; all if empty
    pattern: Pattern | None = None  # the dim pattern of the cases
    size_variants: bool = False  # whether to judge them as well, without counting them
    needs_empty_cache: bool = False  # of code that the target compiled for other batches
    # For progress messages: the part of the campaign, the number of this batch in it, and of all.
    stage: str = "judging random cases"
    number: int = 1
    total: int = 1

    @property
    def pattern_counts(self) -> list[tuple[int, int]]:
        """The dim patterns of each rank in this batch, as in `Coverage.patterns`."""
        if self.pattern is None:
            return []
        return [(0, 0)] * _rank(self.pattern) + [(1, 0)]


@dataclass(frozen=True)
class Campaign:
    """The options that determine the batches, as plain data."""

    profile: Profile
    seed: int
    backends: tuple[str, ...]
    lowerings: tuple[str, ...]
    only: tuple[str, ...] = ()
    # Programs beside the smoke programs and the random ones, and the backends that run programs; by
    # default the first backend, unless it compiles slowly.
    programs: tuple[ProgramCase, ...] = ()
    program_backends: tuple[str, ...] = ()

    def batches(self, target: Target, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield the batches of a shard: fixed cases, programs, random cases, dim patterns.

        What shows most faults in the least time comes first.

        Examples
        --------
        >>> from refdot.targets.registry import find_target
        >>> target = find_target("xarray")
        >>> campaign = Campaign(Profile(5, exhaustive=1), 0, ("call",), ("stock",))
        >>> shards = WHOLE, Shard(1, 2), Shard(2, 2)
        >>> [len(list(campaign.batches(target, shard))) for shard in shards]
        [43, 22, 21]
        """
        samples = self.samples(target)
        first = chain(
            self._fixed_batches(target, samples),
            self._program_batches(target, samples),
            self._kernel_batches(target, samples),
            self._random_batches(target, self._case_samples(target)),
        )
        yield from islice(first, shard.number - 1, None, shard.of)
        yield from self._pattern_batches(target, samples, shard)

    def further_batches(self, target: Target, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield batches of more random cases, without end."""
        profile = replace(self.profile, exhaustive=None, fixed=False)
        for number in count(1):
            seed = self.seed + number * _SEED_STRIDE
            further = replace(self, seed=seed, profile=profile, programs=())
            yield from further.batches(target, shard)

    def samples(self, target: Target) -> dict[str, int]:
        """Return the numbers of patterns for the backends that compile slowly."""
        return self._samples(target, self.profile.sample)

    def _case_samples(self, target: Target) -> dict[str, int]:
        """Return the numbers of random cases for the backends that compile slowly."""
        sample = self.profile.sample
        more = self.profile.sample_cases
        return self._samples(target, sample if more is None or sample is None else more)

    def _samples(self, target: Target, size: int | None) -> dict[str, int]:
        if size is None:
            return {}
        return {
            b.name: b.share * size
            for b in target.backends()
            if b.slow_to_compile and b.name in self.backends
        }

    def batch(self, backends: Iterable[str], cases: Iterable[DotCase], **more: Any) -> Batch:
        """Return a batch of the same cases on each of the backends and every lowering."""
        return self._batch(self._configurations(backends), cases, **more)

    def _batch(
        self, configurations: Iterable[Configuration], cases: Iterable[DotCase], **more: Any
    ) -> Batch:
        work = tuple(product(configurations, [tuple(cases)]))
        return Batch(work, only=self.only, **more)

    def _configurations(
        self, backends: Iterable[str], samples: Collection[str] = (), turn: int = -1
    ) -> list[Configuration]:
        """Return every lowering of each backend, but only one of a backend in `samples`."""
        one = (self.lowerings[turn % len(self.lowerings)],)
        return [
            Configuration(backend, lowering)
            for backend in backends
            for lowering in (one if backend in samples else self.lowerings)
        ]

    def _fixed_batches(self, target: Target, samples: Collection[str]) -> Iterator[Batch]:
        """Yield the cases that every run judges first: smoke, boundary and pairwise cases.

        They show faults that all backends share, so backends that compile slowly get none of them,
        and if there is no other backend, only smoke cases that few graphs have.
        """
        if not self.profile.fixed:
            return
        fast = [name for name in self.backends if name not in samples]
        smoke = [case for case in smoke_cases() if fast or _shares_a_graph(case)]
        shared = self._configurations(fast or self.backends, samples)
        for number, configuration in enumerate(shared, 1):
            progress = {"number": number, "total": len(shared)}
            yield self._batch([configuration], smoke, stage="judging smoke cases", **progress)
        if self.profile.look:
            slow = self._configurations(samples, samples) if fast else []
            few = (case for case in smoke_cases() if _shares_a_graph(case) and _is_plain(case))
            if slow:
                yield self._batch(slow, few, stage="judging smoke cases that share a graph")
            return
        if not fast:
            return
        boundaries = [
            *map(dim_count_cases, DIM_COUNTS),
            operand_cases(),
            chain(spelling_cases(), exchanged_size_cases()),
        ]
        for number, cases in enumerate(boundaries, 1):
            progress = {"number": number, "total": len(boundaries)}
            yield self.batch(fast, cases, stage="judging boundary cases", **progress)
        # Hardly any two of these have a graph in common.
        static = chain(summed_dims_cases(), static_size_cases(self.seed, self._is_thorough(target)))
        yield from self._batches_in_turn(fast, static, "judging static sizes")
        yield from self._batches_in_turn(fast, pairwise_cases(self.seed), "judging pairwise cases")

    def _kernel_batches(self, target: Target, samples: Collection[str]) -> Iterator[Batch]:
        """Yield the kernel cases, which every backend has: each has kernels of its own."""
        if not self.profile.fixed or self.profile.look:
            return
        thorough = self._is_thorough(target)
        stage, total = "judging kernels", len(KERNELS) + 2
        by_layout = {each.name for each in target.backends() if each.compiles_each_layout}
        for number, name in enumerate(KERNELS, 1):
            work: list[tuple[Configuration, tuple[DotCase, ...]]] = []
            for configuration in self._configurations(self.backends, samples):
                every_layout = thorough or configuration.backend not in by_layout
                cases = kernel_cases_of(name, self.seed, thorough, every_layout)
                work.append((configuration, tuple(cases)))
            yield Batch(tuple(work), only=self.only, stage=stage, number=number, total=total)
        configurations = self._configurations(self.backends, samples)
        progress = {"total": total, "stage": stage}
        yield self._batch(configurations, static_kernel_cases(), number=total - 1, **progress)
        pairs = similar_graph_cases()
        yield self._batch(configurations, pairs, number=total, needs_empty_cache=True, **progress)

    def _is_thorough(self, target: Target) -> bool:
        return self.profile.thorough or "build" not in target.stages

    def _batches_in_turn(
        self, backends: Sequence[str], cases: Iterable[DotCase], stage: str
    ) -> Iterator[Batch]:
        """Yield a batch for each lowering; each case runs with one of them, in turn."""
        cases, count = list(cases), len(self.lowerings)
        for turn, lowering in enumerate(self.lowerings):
            configurations = [Configuration(backend, lowering) for backend in backends]
            progress = {"number": turn + 1, "total": count, "stage": stage}
            yield self._batch(configurations, cases[turn::count], **progress)

    def _program_batches(self, target: Target, samples: Collection[str]) -> Iterator[Batch]:
        """Yield a batch for each program: smoke programs, requested ones, and random ones.

        Backends that compile slowly run three of the smoke programs.
        """
        if not isinstance(target, ProgramTarget):
            return
        fast = [name for name in self.backends if name not in samples]
        backends = self.program_backends or fast[:1]
        others = [name for name in samples if name not in backends]
        # A quick look has programs only if the user adds some.
        has_smoke = self.profile.fixed and (self.profile.programs > 0 or not self.profile.look)
        groups: list[tuple[list[Configuration], Iterable[ProgramCase]]] = []
        total = 0
        if has_smoke and others:
            few = [*programs_of_every_backend()]
            groups.append((self._configurations(others, samples), few))
            total += len(few)
        if backends:
            smoke = smoke_programs() if has_smoke else ()
            drawn = (program_at(self.seed, index) for index in range(self.profile.programs))
            cases = chain(smoke, self.programs, drawn)
            groups.append((self._configurations(backends), cases))
            total += len(smoke) + len(self.programs) + self.profile.programs
        numbers = count(1)
        for configurations, programs in groups:
            for case in programs:
                work = tuple((configuration, (case,)) for configuration in configurations)
                progress = {"number": next(numbers), "total": total}
                yield self._batch((), (), programs=work, stage="judging programs", **progress)

    def _random_batches(self, target: Target, samples: Mapping[str, int]) -> Iterator[Batch]:
        """Draw distinct cases until the backends support as many as the profile requests.

        Each of these is a batch, together with the unsupported cases drawn before it. Backends
        that judge a sample get the first ones, with each lowering in turn. Unless thorough, these
        have no second gradients, whose graphs a backend may compile for half a minute, and every
        other backend has the lowerings in turn, too.
        """
        most, thorough = self.profile.cases, self.profile.thorough
        left = {name: min(samples.get(name, most), most) for name in self.backends}
        wanted = max(left.values())
        most_gradients = 2 if thorough else 1
        number = 0
        cases: list[DotCase] = []
        seen: set[DotCase] = set()
        # A target may support so little that such a case is drawn rarely, or never.
        for index in range(100 * wanted):
            case = case_at(self.seed, index)
            is_slow = len(case.dims) > _MAX_SLOW_DIMS or case.gradient_order > most_gradients
            backends = [b for b in left if left[b] and not (is_slow and b in samples)]
            if case in seen or not backends:
                continue
            seen.add(case)
            cases.append(case)
            if any(unsupported_reason(target, case, backend) is None for backend in backends):
                number += 1
                left |= {backend: left[backend] - 1 for backend in backends}
                in_turn = samples if thorough else backends
                configurations = self._configurations(backends, in_turn, number)
                progress = {"number": number, "total": wanted}
                yield self._batch(configurations, cases, size_variants=True, **progress)
                cases = []
            if number == wanted:
                return
        if cases:
            yield self.batch(self.backends, cases, number=number, total=wanted)

    def _pattern_batches(
        self, target: Target, samples: Mapping[str, int], shard: Shard
    ) -> Iterator[Batch]:
        """Yield a batch for each dim pattern; backends in `samples` get some of the patterns.

        These run with each lowering in turn, and one in four with gradients, on the last lowering.
        """
        rank = self.profile.exhaustive
        if rank is None:
            return
        every = list(patterns(rank))
        turns: dict[str, dict[Pattern, int]] = {}
        for backend, size in samples.items():
            indices = evenly_spaced(size, len(every), self.seed)
            turns[backend] = {every[index]: turn for turn, index in enumerate(indices)}
        chosen = every
        if samples.keys() >= {*self.backends}:
            chosen = [pattern for pattern in every if any(pattern in own for own in turns.values())]
        stage = f"judging dim patterns up to rank {rank}"
        own = islice(enumerate(chosen, 1), shard.number - 1, None, shard.of)
        for number, pattern in own:
            work = []
            is_static = (number + self.seed) % _PATTERNS_PER_STATIC == 0
            for backend, lowering in product(self.backends, self.lowerings):
                cases: Iterable[DotCase] = ()
                if backend not in samples:
                    cases = self._pattern_cases(pattern, lowering)
                    if not (is_static or self._is_thorough(target)):
                        cases = filterfalse(_has_static_size, cases)
                elif pattern in turns[backend]:
                    cases = self._sampled_pattern_cases(pattern, lowering, turns[backend][pattern])
                if distinct := tuple(dict.fromkeys(cases)):
                    work.append((Configuration(backend, lowering), distinct))
            progress: dict[str, Any] = {"stage": stage, "number": number, "total": len(chosen)}
            yield Batch(tuple(work), only=self.only, pattern=pattern, **progress)

    def _pattern_cases(self, pattern: Pattern, lowering: str) -> Iterator[DotCase]:
        """Yield the cases of a pattern for one lowering.

        Unless thorough, gradients run on the last lowering, which is the fastest where it leaves
        no inner graph, and errors and dtypes on the first one.
        """
        thorough = self.profile.thorough
        is_first, is_last = lowering == self.lowerings[0], lowering == self.lowerings[-1]
        for case in forward_cases_of(pattern):
            # The values of static sizes are also judged beside their gradients.
            if thorough or is_first or not _has_static_size(case):
                yield case
        if thorough or is_last:
            yield from gradient_cases_of(pattern)
        if thorough or is_first:
            yield from disagreeing_cases_of(pattern, thorough)
            # A dim that only one operand has, and that is kept, is in the kernel cases.
            if len(pattern.dims) == 1 and (thorough or pattern.shared or pattern.summed_over):
                yield from dtype_cases_of(pattern)
        if thorough:
            yield from slow_cases_of(pattern)

    def _sampled_pattern_cases(
        self, pattern: Pattern, lowering: str, turn: int
    ) -> Iterator[DotCase]:
        """Return the cases of a pattern that share one graph, and possibly one gradient graph.

        They have no static sizes, so that one compiled function takes all sizes and values,
        including sizes that do not match.
        """
        cases: list[DotCase] = []
        if lowering == self.lowerings[turn % len(self.lowerings)]:
            cases += [*forward_cases_of(pattern), *disagreeing_cases_of(pattern)]
        if lowering == self.lowerings[-1] and turn % _PATTERNS_PER_GRADIENT == 0:
            cases += [case for case in gradient_cases_of(pattern) if not case.same_variable]
        return filterfalse(_has_static_size, cases)


def _shares_a_graph(case: DotCase) -> bool:
    """Whether several of the smoke cases, or cases of other sizes, have the graph of this one."""
    return (
        not _has_static_size(case) and case.gradient_order == 0 and len(case.dims) <= _MAX_SLOW_DIMS
    )


def _has_static_size(case: DotCase) -> bool:
    return any(case.x.static + case.y.static)


def _is_plain(case: DotCase) -> bool:
    """Whether a case has the dtype and the layouts of most cases: these decide its graph too."""
    operands = case.x, case.y
    return all(each.dtype == "float64" and each.layout == "c" for each in operands)


def _rank(pattern: Pattern) -> int:
    return max(len(pattern.x_dims), len(pattern.y_dims))


@cache
def pattern_counts(rank: int) -> tuple[int, ...]:
    """Return the number of dim patterns of each rank from 0 to `rank`.

    Examples
    --------
    >>> pattern_counts(3)
    (1, 10, 96, 1136)
    """
    counts = Counter(map(_rank, patterns(rank)))
    return tuple(counts[each] for each in range(rank + 1))


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
