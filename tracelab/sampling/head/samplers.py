"""Samplers of SDKs: what each does with a span, given what became of its parent, for all trace ids at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tracelab.errors import TracelabError
from tracelab.options import choice, share, shown, whole
from tracelab.sampling.head.ratios import SDKS, kept_from, kept_ids, threshold_of
from tracelab.sampling.trace_state import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.array_types import Flags
    from tracelab.sampling.head.cells import Cells
    from tracelab.sampling.head.ratios import Kept

States: TypeAlias = npt.NDArray[np.int64]
"""What a span hands on to its children, one item per cell: twice the threshold, and 1 more where it is sampled."""

NO_THRESHOLD: Final = NEVER
"""Stands in states where the trace state has no threshold."""


def states(thresholds: npt.NDArray[np.int64], sampled: Flags) -> States:
    """Put thresholds and decisions into states."""
    return thresholds * 2 + sampled


def sampled_of(state: States) -> Flags:
    """Tell which states are those of sampled spans."""
    sampled: Flags = state % 2 == 1
    return sampled


def thresholds_of(state: States) -> npt.NDArray[np.int64]:
    """Give the thresholds of states."""
    return state // 2


class Sampler(ABC):
    """What decides on a span when it begins."""

    @abstractmethod
    def sets(self) -> Iterator[Kept]:
        """Give all sets of ids that a decision may depend on."""

    @abstractmethod
    def decide(self, cells: Cells, parent: States | None, *, remote: bool) -> States:
        """Give the states of a span whose parent has these; None is a span that has no parent."""

    @property
    def reads_parents(self) -> bool:
        """Whether the parent matters to the decision."""
        return False

    @property
    def writes_thresholds(self) -> bool:
        """Whether it writes a threshold into the trace state, or takes one out."""
        return False

    def __str__(self) -> str:
        """Write it as one makes it, without what is by default."""
        values = [(field, getattr(self, field.name)) for field in fields(self)]  # type: ignore[arg-type]
        given = [
            str(value) if field.default is MISSING else f"{field.name}={value}"
            for field, value in values
            if field.default is MISSING or value != field.default
        ]
        return f"{type(self).__name__}({', '.join(given)})"


def _inherited(cells: Cells, parent: States | None) -> npt.NDArray[np.int64]:
    """Copy the parent's trace state, as samplers do that know of no thresholds."""
    return np.full(cells.count, NO_THRESHOLD) if parent is None else thresholds_of(parent)


@dataclass(frozen=True)
class AlwaysOn(Sampler):
    """Samples every span.

    Examples
    --------
    >>> from tracelab.sampling import AlwaysOn, sample_head
    >>> from tracelab.synthetic import draw
    >>> sample_head(draw("api ==="), AlwaysOn())["sampling_weight"].to_list()
    [1.0]
    """

    def sets(self) -> Iterator[Kept]:
        """Give no set: no id matters."""
        yield from ()

    def decide(self, cells: Cells, parent: States | None, *, remote: bool) -> States:  # noqa: ARG002
        """Sample."""
        return states(_inherited(cells, parent), np.ones(cells.count, dtype=bool))


@dataclass(frozen=True)
class AlwaysOff(Sampler):
    """Samples no span."""

    def sets(self) -> Iterator[Kept]:
        """Give no set: no id matters."""
        yield from ()

    def decide(self, cells: Cells, parent: States | None, *, remote: bool) -> States:  # noqa: ARG002
        """Sample nothing."""
        return states(_inherited(cells, parent), np.zeros(cells.count, dtype=bool))


@dataclass(frozen=True)
class TraceIdRatioBased(Sampler):
    """Samples a share of the traces, by their ids, bit for bit as an SDK does.

    The specification never said how, so that SDKs disagree: at 0.5 those of Python and JavaScript do so on half of the
    ids, and services that are set up with this sampler and without `ParentBased` break traces.

    Parameters
    ----------
    ratio
        The share, from 0 to 1. SDKs refuse what lies outside, or take it for the nearer end; here it is refused.
    sdk
        Whose rule. With each stands what was run beside it, or else the state of the repository that was read:

        * `python` (1.45.2): the last 8 bytes lie below a bound, which is rounded;
        * `js` (sdk-trace 2.12.0): all four words, combined by exclusive or, lie below a bound;
        * `go` (1.47.0; the same since 1.30), `rust` (0.33.1): the last 8 bytes without their lowest bit;
        * `java` (1.68.0): the last 8 bytes as a signed number, of which the sign does not count;
        * `dotnet` (27628f2): as Java, but of the first 8 bytes;
        * `ruby` (0c6c6a2): the last 8 bytes, and the bound is rounded up;
        * `php` (0328ebd; since autumn 2024): the last 7 bytes reach a threshold of four significant hex digits;
        * `cpp` (13ac179): the first 8 bytes, in the order of x86 and ARM, as a fraction;
        * `erlang` (0081136): the last 8 bytes without their highest bit;
        * `swift` (24f5f2c of its core): the last 8 bytes; whatever has a sampled parent is sampled, too. That it also
          samples what has a sampled link is left out, since no dump holds the flags of links.

    Raises
    ------
    TracelabError
        The ratio does not lie between 0 and 1, or no such SDK is known.

    Examples
    --------
    >>> from tracelab.sampling import TraceIdRatioBased, sample_head
    >>> from tracelab.synthetic import generate
    >>> kept = sample_head(generate(10_000, spans_per_trace=10), TraceIdRatioBased(0.25))
    >>> kept["sampling_weight"].unique().to_list()
    [4.0]
    """

    ratio: float
    sdk: str = "python"

    def __post_init__(self) -> None:
        """Check the options, so that a mistake is found where it is made."""
        object.__setattr__(self, "ratio", share("ratio", self.ratio, ends=True, why="10 % is 0.1."))
        choice("sdk", self.sdk, sorted(SDKS))

    @property
    def reads_parents(self) -> bool:
        """Swift's sampler samples below what is sampled."""
        return self.sdk == "swift"

    def sets(self) -> Iterator[Kept]:
        """Give the set of ids that is sampled."""
        yield kept_ids(self.ratio, self.sdk)

    def decide(self, cells: Cells, parent: States | None, *, remote: bool) -> States:  # noqa: ARG002
        """Sample by the id."""
        sampled = cells.within(kept_ids(self.ratio, self.sdk))
        if self.sdk == "swift" and parent is not None:
            sampled = sampled | sampled_of(parent)
        return states(_inherited(cells, parent), sampled)


@dataclass(frozen=True)
class ParentBased(Sampler):
    """Does as the parent did, and asks another sampler where there is no parent.

    Parameters
    ----------
    root
        Decides on spans that have no parent.
    remote_parent_sampled, remote_parent_not_sampled, local_parent_sampled, local_parent_not_sampled
        Decide on the others. A parent is remote if the span's `flags` say so; where they say nothing, if it is in
        another service, or the span is of kind server or consumer.

    Raises
    ------
    TracelabError
        One of them is no sampler.

    Examples
    --------
    >>> from tracelab.sampling import AlwaysOff, ParentBased, TraceIdRatioBased
    >>> str(ParentBased(TraceIdRatioBased(0.1), remote_parent_sampled=AlwaysOff()))
    'ParentBased(TraceIdRatioBased(0.1), remote_parent_sampled=AlwaysOff())'
    """

    root: Sampler
    remote_parent_sampled: Sampler = AlwaysOn()
    remote_parent_not_sampled: Sampler = AlwaysOff()
    local_parent_sampled: Sampler = AlwaysOn()
    local_parent_not_sampled: Sampler = AlwaysOff()

    def __post_init__(self) -> None:
        """Check the options, so that a mistake is found where it is made."""
        for field in fields(self):
            sampler_option(field.name, getattr(self, field.name))

    @property
    def reads_parents(self) -> bool:
        """Parents always matter."""
        return True

    @property
    def writes_thresholds(self) -> bool:
        """It does if one of its samplers does."""
        return any(sampler.writes_thresholds for sampler in self._all)

    @property
    def _all(self) -> list[Sampler]:
        return [getattr(self, field.name) for field in fields(self)]

    def sets(self) -> Iterator[Kept]:
        """Give the sets of all its samplers."""
        for sampler in self._all:
            yield from sampler.sets()

    def decide(self, cells: Cells, parent: States | None, *, remote: bool) -> States:
        """Ask the sampler for what became of the parent."""
        if parent is None:
            return self.root.decide(cells, None, remote=remote)
        below_sampled, below_others = (
            (self.remote_parent_sampled, self.remote_parent_not_sampled)
            if remote
            else (self.local_parent_sampled, self.local_parent_not_sampled)
        )
        return np.where(
            sampled_of(parent),
            below_sampled.decide(cells, parent, remote=remote),
            below_others.decide(cells, parent, remote=remote),
        )


@dataclass(frozen=True)
class ProbabilitySampler(Sampler):
    """Samples a share of the traces consistently: by the random value of the trace, which is the same everywhere.

    A span is sampled where its random value (`rv` of the trace state, else the last 7 bytes of the trace id) reaches a
    threshold, which is written into the trace state as `th`.

    Parameters
    ----------
    ratio
        The share, from 0 to 1; below 2**-57 it is none.
    precision
        With how many hex digits the threshold is written, from 1 to 14, those that are 0 or f because the share is
        near 1 or 0 not counted. None writes all, as the samplers of Python and JavaScript do; the specification
        recommends 4.

    Raises
    ------
    TracelabError
        The ratio does not lie between 0 and 1, or the precision not between 1 and 14.

    Examples
    --------
    >>> from tracelab.sampling import ProbabilitySampler, sample_head
    >>> from tracelab.synthetic import draw
    >>> sample_head(draw("api ==="), ProbabilitySampler(1))["trace_state"].to_list()
    ['ot=th:0']
    """

    ratio: float
    precision: int | None = None

    def __post_init__(self) -> None:
        """Check the options, so that a mistake is found where it is made."""
        object.__setattr__(self, "ratio", share("ratio", self.ratio, ends=True, why="10 % is 0.1."))
        if self.precision is not None:
            object.__setattr__(self, "precision", whole("precision", self.precision, least=1, most=14))

    @property
    def threshold(self) -> int:
        """The threshold, of 56 bits."""
        return threshold_of(self.ratio, self.precision)

    @property
    def writes_thresholds(self) -> bool:
        """It always does."""
        return True

    def sets(self) -> Iterator[Kept]:
        """Give the random values that reach the threshold."""
        yield kept_from(self.threshold)

    def decide(self, cells: Cells, parent: States | None, *, remote: bool) -> States:  # noqa: ARG002
        """Sample by the random value."""
        sampled = cells.within(kept_from(self.threshold))
        return states(np.where(sampled, self.threshold, NO_THRESHOLD), sampled)


@dataclass(frozen=True)
class ParentThreshold(Sampler):
    """Keeps to the parent's threshold, and asks another sampler where there is no parent.

    Where the parent's trace state has no threshold, its decision counts, and what is sampled has no threshold either.

    Parameters
    ----------
    root
        Decides on spans that have no parent.

    Raises
    ------
    TracelabError
        It is no sampler.
    """

    root: Sampler

    def __post_init__(self) -> None:
        """Check the option, so that a mistake is found where it is made."""
        sampler_option("root", self.root)

    @property
    def reads_parents(self) -> bool:
        """Parents always matter."""
        return True

    @property
    def writes_thresholds(self) -> bool:
        """It always does."""
        return True

    def sets(self) -> Iterator[Kept]:
        """Give the sets of the sampler of roots."""
        yield from self.root.sets()

    def decide(self, cells: Cells, parent: States | None, *, remote: bool) -> States:
        """Sample by the parent's threshold."""
        if parent is None:
            return self.root.decide(cells, None, remote=remote)
        thresholds = thresholds_of(parent)
        said = thresholds < NO_THRESHOLD
        sampled = np.where(said, cells.reaching(thresholds), sampled_of(parent))
        return states(np.where(sampled & said, thresholds, NO_THRESHOLD), sampled)


def sampler_option(name: str, value: Any) -> Sampler:
    """Give a sampler back.

    Raises
    ------
    TracelabError
        It is none.
    """
    if isinstance(value, Sampler):
        return value
    hint = " Make one of it: AlwaysOn(), with brackets." if isinstance(value, type) else ""
    raise TracelabError(f"`{name}` must be a sampler, such as TraceIdRatioBased(0.1), got {shown(value)}.{hint}")
