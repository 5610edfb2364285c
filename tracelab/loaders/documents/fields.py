"""What decoded documents hold where a type cannot be trusted: texts, fields, lists, enums and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.text import scalar_text
from tracelab.loaders.documents.values import plain_value, whole_number
from tracelab.loaders.report import problems
from tracelab.schema import KINDS, STATUS_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracelab.loaders.columns.builder import Builder, Value

KIND_NUMBERS: Final = {
    f"{prefix}{name.upper()}": number for number, name in enumerate(KINDS) for prefix in ("", "SPAN_KIND_")
}
STATUS_NUMBERS: Final = {
    f"{prefix}{name.upper()}": number for number, name in enumerate(STATUS_CODES) for prefix in ("", "STATUS_CODE_")
}


_DEPTH: Final = 12


def walked(
    content: Any, holds: Callable[[dict[str, Any]], bool], wrappers: Sequence[str], depth: int = _DEPTH
) -> Iterator[tuple[Any, str, bool]]:
    """Find the objects that are wanted in a document, in lists and under wrapping keys, with their paths.

    What stands in their place but is none of them is given too, with False.
    """
    if isinstance(content, dict) and holds(content):
        yield content, "", True
        return
    inner: Iterator[tuple[str, Any]] = iter(())
    if isinstance(content, list):
        inner = ((f"[{number}]", item) for number, item in enumerate(content))
    elif isinstance(content, dict):
        inner = ((key, content[key]) for key in wrappers if isinstance(content.get(key), list | dict))
    found = False
    for step, item in inner if depth else ():
        found = True
        for held, path, known in walked(item, holds, wrappers, depth - 1):
            yield held, f"{step}{'' if path.startswith('[') or not path else '.'}{path}", known
    if not found and content != []:
        yield content, "", False


def at(place: str, path: str) -> str:
    """Name a place further in: a path after the line, or a longer path."""
    if not path:
        return place
    return f"{place}{'' if path.startswith('[') and ', ' in place else '.' if ', ' in place else ', '}{path}"


def text_of(content: Any) -> str | None:
    """Give a text; None for anything else."""
    return content if isinstance(content, str) else None


def fields_of(content: Any) -> dict[str, Any]:
    """Give an object; an empty one for anything else."""
    return content if isinstance(content, dict) else {}


def objects_of(content: Any) -> list[dict[str, Any]]:
    """Give the objects in a list; none for anything else."""
    return [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []


def enum_number(content: Any, names: dict[str, int]) -> int:
    """Read an enum by number or by name, such as `Client` or `SpanKind.INTERNAL`; 0 where it is neither."""
    number = whole_number(content)
    if number is not None:
        return number
    return names.get(str(content or "").rpartition(".")[2].upper(), 0)


def known_enum(content: Any, names: dict[str, int]) -> int:
    """Read an enum as `enum_number` does; what is no number and no name becomes 255, which is counted as unknown."""
    if content is None or content == "":
        return 0
    number = whole_number(content)
    if number is None:
        number = names.get(content.strip().rpartition(".")[2].upper()) if isinstance(content, str) else None
    return number if number is not None and number >= 0 else 255


def attributes_of(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    """Read a map of plain values as attributes; those without a value are left out and counted."""
    found = []
    for key, held in fields_of(content).items():
        value = plain_value(held, builder.findings, place)
        if value is None:
            builder.findings.add(problems.EMPTY_VALUES, place=place, example=key)
        else:
            found.append((str(key), value))
    return found


def add_attribute(found: list[tuple[str, Value]], key: str, content: Any, builder: Builder, place: str) -> None:
    """Add a plain value as an attribute, unless it is null."""
    value = plain_value(content, builder.findings, place)
    if value is not None:
        found.append((key, value))


def text_attributes(attributes: list[tuple[str, Value]]) -> dict[str, str]:
    """Write attributes as text, which is how events and links have them."""
    return {key: value if isinstance(value, str) else scalar_text(value) for key, (_, value) in attributes}
