"""What decoded documents hold where a type cannot be trusted: texts, fields, lists, enums and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.text import scalar_text
from tracelab.loaders.columns.values import plain_value, whole_number
from tracelab.loaders.report import problems
from tracelab.schema import KINDS, STATUS_CODES

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value

KIND_NUMBERS: Final = {
    f"{prefix}{name.upper()}": number for number, name in enumerate(KINDS) for prefix in ("", "SPAN_KIND_")
}
STATUS_NUMBERS: Final = {
    f"{prefix}{name.upper()}": number for number, name in enumerate(STATUS_CODES) for prefix in ("", "STATUS_CODE_")
}


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


def text_attributes(attributes: list[tuple[str, Value]]) -> dict[str, str]:
    """Write attributes as text, which is how events and links have them."""
    return {key: value if isinstance(value, str) else scalar_text(value) for key, (_, value) in attributes}
