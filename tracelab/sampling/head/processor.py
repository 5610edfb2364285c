"""The Collector's processor probabilistic_sampler: it decides on every span by itself, after it was sent."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.errors import TracelabError
from tracelab.options import choice, flag, shown, whole
from tracelab.sampling.hashes import fnv1a_32
from tracelab.sampling.head.ratios import threshold_of
from tracelab.sampling.head.samplers import NO_THRESHOLD
from tracelab.sampling.trace_state import AS_IT_IS, NEVER, SamplingState
from tracelab.schema import attribute_value

if TYPE_CHECKING:
    from tracelab.array_types import Flags
    from tracelab.sampling.ids import TraceIds

Thresholds = npt.NDArray[np.int64]

MODES: Final = ("hash_seed", "proportional", "equalizing")
PRIORITY: Final = "span.sampling.priority"
"""The attribute that overrules the processor."""

_BUCKETS: Final = 2**14
_10: Final = "[0-9](?:_?[0-9])*"
_16: Final = "[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL: Final = re.compile(rf"[+-]?(?:{_10}\.?(?:{_10})?|\.{_10})(?:[eE][+-]?{_10})?")
_HEX: Final = re.compile(rf"[+-]?0[xX](?:_?{_16}\.?(?:{_16})?|\.{_16})[pP][+-]?{_10}")
_INFINITE: Final = re.compile(r"(?i)[+-]?inf(?:inity)?")


@dataclass(frozen=True)
class ProbabilisticProcessor:
    """The Collector's `probabilistic_sampler`, for traces, as version 0.161 decides.

    It stands behind the SDKs and decides on every span by itself: by the trace id, by what the span's own `trace_state`
    says of sampling so far, and by its attribute `sampling.priority` (0 drops it, a number above keeps it). The options
    are those of its configuration.

    Parameters
    ----------
    sampling_percentage
        The share in percent, as a number of 32 bits; 100 and more keeps all, 0 none.
    mode
        `hash_seed` compares a hash of 14 bits of the trace id, and refuses spans whose trace state has a threshold or a
        random value. `equalizing` raises thresholds to one that is the same for all, `proportional` lowers the
        probability that a span has so far.
    hash_seed
        A number of 32 bits that the hash begins with.
    fail_closed
        Whether spans are dropped whose trace state cannot be read, that no trace id is known of, or that should not
        have come so far by their threshold.
    sampling_precision
        With how many hex digits thresholds are written, from 1 to 14.

    Raises
    ------
    TracelabError
        The Collector would refuse an option.

    Examples
    --------
    >>> from tracelab.sampling import ProbabilisticProcessor, sample_head
    >>> from tracelab.synthetic import draw
    >>> kept = sample_head(draw("api ===="), ProbabilisticProcessor(100, mode="proportional"))
    >>> kept["trace_state"].to_list()
    ['ot=th:0']
    """

    sampling_percentage: float
    mode: str = "hash_seed"
    hash_seed: int = 0
    fail_closed: bool = True
    sampling_precision: int = 4

    def __post_init__(self) -> None:
        """Check the options, so that a mistake is found where it is made."""
        value: Any = self.sampling_percentage
        known = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not (known and 0 <= value < float("inf") and not 0 < float(np.float32(min(value, 100))) / 100 < 2**-56):
            raise TracelabError(
                f"`sampling_percentage` must be 0 or a number from 1.4e-15 on, got {shown(value)}. 10 % is 10."
            )
        choice("mode", self.mode, MODES)
        whole("hash_seed", self.hash_seed, least=0, most=2**32 - 1)
        flag("fail_closed", self.fail_closed)
        whole("sampling_precision", self.sampling_precision, least=1, most=14)

    def __str__(self) -> str:
        """Write it as one makes it, without what is by default."""
        first, *others = ((field, getattr(self, field.name)) for field in fields(self))
        given = [f"{field.name}={value}" for field, value in others if value != field.default]
        return f"{type(self).__name__}({', '.join([str(first[1]), *given])})"

    @property
    def percentage(self) -> np.float32:
        """The percentage as the Collector holds it."""
        return np.float32(min(self.sampling_percentage, 100))

    @property
    def buckets(self) -> int:
        """How many of the hashes of 14 bits are kept."""
        return int(self.percentage * np.float32(_BUCKETS / 100))

    @property
    def ratio(self) -> float:
        """The share, from 0 to 1."""
        return float(self.percentage) / 100


@dataclass(frozen=True)
class Processed:
    """What the processor does, one array item per span.

    Attributes
    ----------
    kept
        Whether it is handed on.
    probability
        How likely that is from the first sampler on; NaN where nobody knows.
    thresholds, randomness
        What is written into the trace state.
    rewritten
        Whether the trace state is written anew.
    """

    kept: Flags
    probability: npt.NDArray[np.float64]
    thresholds: Thresholds
    randomness: Thresholds
    rewritten: Flags


@dataclass(frozen=True)
class _Seen:
    """What comes in with every span, and what the processor makes of it before it compares.

    Attributes
    ----------
    broken, inconsistent, missing, in_use
        Why it may fail: the trace state cannot be read, says that the span should not be here, or has what the mode
        does not go with; there is no random value.
    """

    incoming: Thresholds
    explicit: Thresholds
    randomness: Thresholds
    deciding: Thresholds
    broken: Flags
    inconsistent: Flags
    missing: Flags
    in_use: Flags

    @property
    def failed(self) -> Flags:
        return self.broken | self.inconsistent | self.missing | self.in_use


def process(processor: ProbabilisticProcessor, spans: pl.DataFrame, ids: TraceIds) -> Processed:
    """Decide on every span."""
    seen = _seen(processor, spans, ids)
    priority = _priorities(spans)
    threshold = np.where(seen.failed, NEVER if processor.fail_closed else 0, seen.deciding)
    threshold = np.where(priority == 0, NEVER, np.where(priority > 0, 0, threshold))
    kept = threshold <= seen.randomness
    # A threshold that was a lie is taken out; any other may be raised only.
    known = np.where(seen.inconsistent, NO_THRESHOLD, seen.incoming)
    raised = np.where((known < NO_THRESHOLD) & (known > threshold), known, threshold)
    hashed = processor.mode == "hash_seed" and processor.buckets > 0
    return Processed(
        kept=kept,
        probability=np.where(seen.broken | seen.inconsistent, np.nan, (NEVER - raised) / NEVER),
        thresholds=np.where(raised > threshold, AS_IT_IS, threshold),
        randomness=np.where((seen.explicit == NO_THRESHOLD) & hashed, seen.randomness, AS_IT_IS),
        rewritten=kept & ~seen.broken & ~seen.in_use,
    )


def _seen(processor: ProbabilisticProcessor, spans: pl.DataFrame, ids: TraceIds) -> _Seen:
    state = SamplingState.of_collector(spans["trace_state"])
    broken = state.broken.to_numpy()
    incoming, explicit = (
        values.cast(pl.Int64).fill_null(NO_THRESHOLD).to_numpy() for values in (state.threshold, state.randomness)
    )
    nowhere = np.zeros(spans.height, dtype=bool)
    some = ids.valid[ids.number]
    if processor.ratio == 0 or (processor.mode == "hash_seed" and processor.buckets == 0):
        # Nothing is compared, so that nothing is missed.
        all_ones, never = np.full(spans.height, NEVER - 1), np.full(spans.height, NEVER)
        return _Seen(incoming, explicit, all_ones, never, broken, nowhere, nowhere, nowhere)
    if processor.mode == "hash_seed":
        randomness = np.where(some, _hashed(processor, ids)[ids.number], NEVER - 1)
        deciding = np.full(spans.height, (_BUCKETS - processor.buckets) << 42)
        in_use = (explicit < NO_THRESHOLD) | (incoming < NO_THRESHOLD)
        return _Seen(incoming, explicit, randomness, deciding, broken, nowhere, ~some & ~in_use, in_use)
    own = np.where(some & ~broken, ids.randomness.astype(np.int64)[ids.number], NEVER - 1)
    randomness = np.where(explicit < NO_THRESHOLD, explicit, own)
    inconsistent = (incoming < NO_THRESHOLD) & (incoming > randomness)
    missing = (explicit == NO_THRESHOLD) & ~some
    return _Seen(incoming, explicit, randomness, _deciding(processor, incoming), broken, inconsistent, missing, nowhere)


def _deciding(processor: ProbabilisticProcessor, incoming: Thresholds) -> Thresholds:
    """Give the threshold that every span has to reach, from the one that it has reached."""
    digits = processor.sampling_precision
    if processor.mode == "equalizing":
        wanted = threshold_of(processor.ratio, digits, halves_up=True)
        return np.where(incoming < NO_THRESHOLD, np.maximum(incoming, wanted), wanted)
    different, place = np.unique(incoming, return_inverse=True)
    shares = [(NEVER - each) / NEVER if each < NO_THRESHOLD else 1.0 for each in different.tolist()]
    lowered = [share * processor.ratio for share in shares]
    numbers = [threshold_of(each, digits, halves_up=True) if each >= 2**-56 else NEVER for each in lowered]
    return np.array(numbers, dtype=np.int64)[place.ravel()]


def _hashed(processor: ProbabilisticProcessor, ids: TraceIds) -> Thresholds:
    """Give the random values that the Collector makes of hashes: the hash, turned round, stands in the highest bits."""
    hashes = fnv1a_32(processor.hash_seed.to_bytes(4, "little"), ids.bytes).astype(np.int64)
    bucket, rest = hashes & (_BUCKETS - 1), hashes >> 18
    return (_BUCKETS - 1 - bucket) << 42 | (rest ^ rest << 10) << 14 | bucket


def _priorities(spans: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Give 0 and 1 for priorities that drop and keep; NaN where there is none, or it says nothing."""
    texts = spans.select(text=attribute_value(PRIORITY))
    if texts["text"].null_count() == texts.height:
        return np.full(texts.height, np.nan)
    different = texts.unique()
    values = different.with_columns(value=pl.Series([_priority(text) for text in different["text"]], dtype=pl.Float64))
    rows = texts.join(values, on="text", how="left", nulls_equal=True, maintain_order="left")
    return rows["value"].fill_null(float("nan")).to_numpy()


def _priority(text: Any) -> float | None:
    """Read a number as Go does; text that holds more than one is none."""
    if text is None:
        return None
    if _INFINITE.fullmatch(text):
        value = float(text)
    elif _DECIMAL.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            return None  # out of range, which Go refuses
    elif _HEX.fullmatch(text):
        try:
            value = float.fromhex(text.replace("_", ""))
        except OverflowError:
            return None
    else:
        return None
    return None if value < 0 else float(value > 0)
