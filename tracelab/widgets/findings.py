"""The list of findings in the browser, and the one that is chosen, in full."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets

from tracelab.auditing.descriptions import DESCRIPTIONS
from tracelab.display.words import format_number, format_share
from tracelab.markup import cut, named, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

_HERE: Final = Path(__file__).parent
_LONGEST: Final = 300
_LONGEST_NAME: Final = 80
_MARGIN: Final = 2


class Findings(anywidget.AnyWidget):
    """A list of which only the rows in view, and some around them, are in the browser; all its text is shown as text.

    Attributes
    ----------
    block
        The rows that the browser holds, with the number of the first of them.
    view
        How many rows there are and are in view, which is chosen, what to say where there are none. What is chosen is
        brought into view when `moves` has grown.
    card
        What there is to say of the chosen one.
    place
        Where the browser stands: the row at the top, and a number that grows.
    """

    _esm = _HERE / "findings.js"
    _css = _HERE / "findings.css"
    block = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    card = traitlets.Dict().tag(sync=True)
    place: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, *, rows: int) -> None:
        self._in_view, self._serial, self._moves = rows, 0, 0
        self._findings: pl.DataFrame | None = None
        self.block = {"serial": 0, "first": 0, "rows": []}
        self.view = self._looks(0, chosen=None, note="")
        super().__init__()
        self.add_class("tracelab-findings")
        self.observe(lambda change: self._hold(int(change["new"][0])), "place")

    def listen(
        self, *, opened: Callable[[int], None], stepped: Callable[[int], None], closed: Callable[[], None]
    ) -> None:
        """Say whom to tell which row was chosen, how far on the next exemplar is, and that nothing is chosen."""

        def told(_: Any, message: Any, __: Any) -> None:
            match message:
                case {"kind": "open", "row": int(row)}:
                    opened(row)
                case {"kind": "step", "by": int(by)}:
                    stepped(by)
                case {"kind": "close"}:
                    closed()

        self.on_msg(told)

    def show(self, findings: pl.DataFrame, *, chosen: int | None, note: str) -> None:
        """Show findings, of which one may be chosen, and a note where there are none."""
        self._findings = findings
        with self.hold_sync():
            self._hold(chosen or 0)
            self.choose(chosen, note=note, moved=True)

    def choose(self, row: int | None, *, note: str = "", moved: bool = False) -> None:
        """Mark a row; bring it into view if somebody else than the browser has chosen it."""
        total = 0 if self._findings is None else self._findings.height
        self._moves += moved
        with self.hold_sync():
            if moved and row is not None:
                self._hold(row)
            self.view = self._looks(total, chosen=row, note=note)

    def _looks(self, total: int, *, chosen: int | None, note: str) -> dict[str, Any]:
        return {"total": total, "in_view": self._in_view, "chosen": chosen, "note": note, "moves": self._moves}

    def _hold(self, top: int) -> None:
        """Send the rows around one."""
        if self._findings is None:
            return
        first = max(min(top, self._findings.height) - _MARGIN * self._in_view, 0)
        part = self._findings.slice(first, (2 * _MARGIN + 1) * self._in_view)
        self._serial += 1
        rows = [{"key": first + place, **_row(finding)} for place, finding in enumerate(part.iter_rows(named=True))]
        self.block = {"serial": self._serial, "first": first, "rows": rows}


def card_of(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Say all there is to say of a finding, but for its exemplars."""
    described = DESCRIPTIONS.get(finding["rule"])
    bounds = (finding["share_lower"], finding["share_upper"])
    interval = "" if None in bounds else f" ({' to '.join(format_share(bound) for bound in bounds)}, 95 % confidence)"
    share = "" if finding["share"] is None else f"{format_share(finding['share'])}{interval}"
    library = " ".join(filter(None, (finding["library"], finding["library_version"])))
    facts = [_count(finding, unit=True), share, _where(finding), finding["hop"] or "", library]
    return {
        "rule": _text(finding["rule"]),
        "severity": finding["severity"],
        "title": described.title if described else _text(finding["rule"]),
        "says": _text(finding["finding"], 2_000),
        "facts": " · ".join(_text(fact) for fact in facts if fact),
        "why": described.why if described else "",
        "explanation": f"Explained by: {_text(finding['explanation'])}" if finding["explanation"] else "",
        "fix": _text(finding["fix"], 4_000, keep="\n"),
    }


def note_of(text: str) -> str:
    """Give what is said of an exemplar as it can be shown."""
    return _text(text)


def _row(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "severity": finding["severity"],
        "rule": _text(finding["rule"]),
        "where": _where(finding),
        "count": _count(finding),
        "share": "" if finding["share"] is None else format_share(finding["share"]),
        "says": _text(finding["finding"], _LONGEST),
    }


def _count(finding: Mapping[str, Any], *, unit: bool = False) -> str:
    counted = f"{format_number(finding['count'] or 0)} of {format_number(finding['out_of'] or 0)}"
    return f"{counted} {finding['unit'] or ''}".rstrip() if unit else counted


def _where(finding: Mapping[str, Any]) -> str:
    """Name the edge, or the service where it is none."""
    service, caller, callee = (finding[name] for name in ("service_name", "caller", "callee"))
    if caller is None and callee is None:
        return _text(named(service or ""), _LONGEST_NAME)
    ends = " → ".join("?" if end is None else _text(named(end), _LONGEST_NAME) for end in (caller, callee))
    return ends if service in {caller, callee, None} else f"{ends}, by {_text(service, _LONGEST_NAME)}"


def _text(text: str | None, longest: int = _LONGEST, *, keep: str = "") -> str:
    return visible(cut(text or "", longest), keep=keep)
