"""Which resource and scope each span belongs to, read from the text that is left when attributes and spans are lifted.

A Collector says the same of its resources and scopes in every line. When the numbers of what was lifted are put aside,
most groups (ResourceSpans) are one of a few texts, so each of these is decoded once, and numpy does the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import numpy as np
import polars as pl

from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.input.cutting import BLANK
from tracelab.loaders.otlp.messages import LibrarySpans, Request, ResourceSpans, ScopeSpans, Span
from tracelab.loaders.otlp.scanning import FIRST, Ints, Text, places_of, put_numbers, ranges, views

if TYPE_CHECKING:
    from collections.abc import Sequence

Lists = list[tuple[int, list[Any]]]
"""Lists of attributes that are more than a number, and whose each is."""

_REQUEST: Final = msgspec.json.Decoder(Request)
_GROUP: Final = msgspec.json.Decoder(ResourceSpans)
_START: Final = b'{"resource":'
_BEFORE: Final = re.compile(rb'[ \t\r\n]*\{"(resourceSpans|batches)": ?\[')
_BETWEEN: Final = re.compile(rb'(?:, ?|\]\}[ \t\r]*\n\{"(resourceSpans|batches)": ?\[)\Z')
_AFTER: Final = re.compile(rb"\]\}[ \t\r\n]*\Z")
_LONGEST_BETWEEN: Final = 40
_SHORT: Final = 64


@dataclass(slots=True)
class Groups:
    """The groups of a piece, in the order of the text, with the scopes in them and what stands in their lists of spans.

    Attributes
    ----------
    lines
        For each group its line.
    resources, scopes
        For each group and each scope the number of its run of attributes, -1 where it has none.
    resource_lists, scope_lists
        The attributes of groups and scopes that are more than a run.
    names
        Name and version of each scope.
    old
        For each scope whether it stands where they stood before they had that name.
    group_of_scope, scope_of_item
        Where scopes and items of lists of spans belong.
    runs
        For each item the number of its run of spans, -1 where it is a span that was left.
    spans
        The spans that were left, in the order of the items.
    batches
        Whether the groups of a line stand under the name that Tempo gives them.
    """

    lines: Ints
    resources: Ints
    resource_lists: Lists
    names: pl.DataFrame
    scopes: Ints
    scope_lists: Lists
    old: Ints
    group_of_scope: Ints
    scope_of_item: Ints
    runs: Ints
    spans: list[Span]
    batches: bool


def read_groups(content: Text, numbers: tuple[Ints, Ints], *, bare: bool) -> Groups:
    """Read lines of requests, or of bare groups.

    Parameters
    ----------
    content
        The text.
    numbers
        Where the numbers stand that were put there, in ascending order, and which they are, from zero.

    Raises
    ------
    DoesNotFit
        It is no JSON, or not by the book.
    """
    text = bytes(content)
    try:
        return (_Shaped.of(text, numbers, bare=bare) or _one_by_one(text, bare=bare)).groups()
    # A number where a list should be may be too large to be told from the places of lists.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise DoesNotFit(str(error)) from error


@dataclass(slots=True)
class _Shaped:
    """Distinct groups, which of them each is, and the numbers that stand for those in them.

    A number in a distinct group is a place among `numbers`, counted from the `first` of the group.
    """

    shapes: list[ResourceSpans]
    codes: Ints
    first: Ints
    numbers: Ints
    lines: Ints
    batches: bool

    @classmethod
    def of(cls, content: bytes, numbers: tuple[Ints, Ints], *, bare: bool) -> _Shaped | None:
        """Tell groups apart by their text; None where they are not written one after another, resource first."""
        starts = places_of(content, _START)
        places, held = numbers
        if not starts.size or (places.size and places[0] < starts[0]):
            return None
        before = content[: int(starts[0])]
        named = None if bare else _BEFORE.fullmatch(before)
        if named is None and (not bare or before.strip(BLANK)):
            return None
        group = np.searchsorted(starts, places, side="right") - 1
        first = np.searchsorted(group, np.arange(starts.size))
        masked = bytearray(content)
        put_numbers(masked, places, np.arange(places.size) - first[group])
        ends = np.append(starts[1:], len(content))
        encoded = views(masked, starts, ends).dictionary_encode()
        codes = np.frombuffer(encoded.indices.buffers()[1], dtype=np.int32, count=starts.size).astype(np.int64)
        names = set() if named is None else {named[1]}
        texts = encoded.dictionary.to_pylist()
        lengths = [_length(text, names, bare=bare, last=code == codes[-1]) for code, text in enumerate(texts)]
        if None in lengths or len(names) > 1 or np.count_nonzero(codes == codes[-1]) > 1:
            return None
        shapes = [_GROUP.decode(memoryview(text)[:length]) for text, length in zip(texts, lengths, strict=True)]
        breaks = np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == ord("\n"))
        shaped = cls(shapes, codes, first, held, np.searchsorted(breaks, starts), names == {b"batches"})
        shaped.take_apart(content, starts, lengths)
        return shaped

    def take_apart(self, content: bytes, starts: Ints, lengths: list[Any]) -> None:
        """Decode each group on its own that has more than numbers in it, with the numbers that it had."""
        odd = [code for code, shape in enumerate(self.shapes) if not _is_regular(shape)]
        if not odd:
            return
        identity = self.numbers.size
        self.numbers = np.append(self.numbers, np.arange(int(self.numbers.max(initial=-1)) + 1))
        for group in np.flatnonzero(np.isin(self.codes, odd)).tolist():
            start = int(starts[group])
            shape = _GROUP.decode(memoryview(content)[start : start + lengths[self.codes[group]]])
            self.codes[group] = len(self.shapes)
            self.first[group] = identity
            self.shapes.append(shape)

    def groups(self) -> Groups:
        """Put the groups together of the distinct ones."""
        held = [_scopes(shape) for shape in self.shapes]
        scopes = [scope for each in held for scope in each]
        items = [item for scope in scopes for item in scope.spans or ()]
        scope_counts = np.array([len(each) for each in held], dtype=np.int64)
        item_counts = np.array([len(scope.spans or ()) for scope in scopes], dtype=np.int64)
        scope = ranges(scope_counts, self.codes)
        item = ranges(item_counts, scope)
        group_of_scope = np.repeat(np.arange(self.codes.size), scope_counts[self.codes])
        scope_of_item = np.repeat(np.arange(scope.size), item_counts[scope])
        resource_lists: Lists = []
        scope_lists: Lists = []
        resources = [shape.resource.attributes if shape.resource else None for shape in self.shapes]
        scope_attributes = [each.scope.attributes if each.scope else None for each in scopes]
        names = pl.DataFrame(
            {
                "name": [(each.scope.name if each.scope else None) or None for each in scopes],
                "version": [(each.scope.version if each.scope else None) or None for each in scopes],
            },
            schema={"name": pl.String, "version": pl.String},
        )
        runs = np.array([item - FIRST if type(item) is int else -1 for item in items], dtype=np.int64)[item]
        return Groups(
            self.lines,
            self._numbers(resources, self.codes, self.first, resource_lists),
            resource_lists,
            names[pl.Series(scope)],
            self._numbers(scope_attributes, scope, self.first[group_of_scope], scope_lists),
            scope_lists,
            np.array([type(each) is LibrarySpans for each in scopes], dtype=np.int64)[scope],
            group_of_scope,
            scope_of_item,
            self._true(runs, self.first[group_of_scope[scope_of_item]]),
            [cast("Span", items[place]) for place in item[runs < 0].tolist()],
            self.batches,
        )

    def _numbers(self, lists: list[list[Any] | None], which: Ints, first: Ints, odd: Lists) -> Ints:
        """Give the numbers of lists that are no more than one, -1 for others; what more there is goes to `odd`."""
        simple = [len(held) == 1 and type(held[0]) is int if held else False for held in lists]
        places = [held[0] - FIRST if held and one else -1 for held, one in zip(lists, simple, strict=True)]
        more = [bool(held) and not one for held, one in zip(lists, simple, strict=True)]
        if any(more):
            odd += [(row, lists[which[row]] or []) for row in np.flatnonzero(np.array(more)[which]).tolist()]
        return self._true(np.array(places, dtype=np.int64)[which], first)

    def _true(self, places: Ints, first: Ints) -> Ints:
        """Give the numbers that places stand for, -1 for -1."""
        there = places >= 0
        found = np.full(places.size, -1, dtype=np.int64)
        wanted = places[there] + first[there]
        if (places < -1).any() or (wanted >= self.numbers.size).any():
            raise DoesNotFit("numbers where none should be")
        found[there] = self.numbers[wanted]
        return found


def _one_by_one(content: bytes, *, bare: bool) -> _Shaped:
    """Decode line by line."""
    groups: list[ResourceSpans] = []
    lines: list[int] = []
    batches = False
    for number, text in enumerate(content.split(b"\n")):
        if not text or (len(text) < _SHORT and not text.strip(BLANK)):
            continue
        if bare:
            found = [_GROUP.decode(text)]
        else:
            request = _REQUEST.decode(text)
            batches = batches or request.batches is not None
            if batches and request.resource_spans is not None:
                raise DoesNotFit("groups under two names")
            found = request.resource_spans or request.batches or []
        groups += found
        lines += [number] * len(found)
    count = len(groups)
    # The numbers are what they are: none is larger than the text is long.
    identity = np.arange(len(content))
    return _Shaped(groups, np.arange(count), np.zeros(count, np.int64), identity, np.array(lines, np.int64), batches)


def _length(text: bytes, names: set[bytes], *, bare: bool, last: bool) -> int | None:
    """Tell how much of a text is a group: the rest leads to the next one, or to the end."""
    if bare:
        length = len(text.rstrip(BLANK))
        return length if b"\n" not in text[:length] and (last or b"\n" in text[length:]) else None
    found = (_AFTER if last else _BETWEEN).search(text, 0 if last else max(len(text) - _LONGEST_BETWEEN, 0))
    # A group in two lines is in neither.
    if found is None or b"\n" in text[: found.start()]:
        return None
    if not last and found[1]:
        names.add(found[1])
    return found.start()


def _scopes(group: ResourceSpans) -> Sequence[ScopeSpans | LibrarySpans]:
    if group.instrumentation_library_spans is None:
        return group.scope_spans or ()
    if group.scope_spans is not None:
        raise DoesNotFit("scopes under two names")
    return group.instrumentation_library_spans


def _is_regular(group: ResourceSpans) -> bool:
    """Tell whether lists in a group hold a number each, or nothing: no span, and no attribute."""
    scopes = _scopes(group)
    lists = [group.resource.attributes if group.resource else None]
    lists += [scope.scope.attributes if scope.scope else None for scope in scopes]
    return all(not held or (len(held) == 1 and type(held[0]) is int) for held in lists) and all(
        type(item) is int for scope in scopes for item in scope.spans or ()
    )
