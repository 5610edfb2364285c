"""The findings of an audit, for a notebook: a list, what to do about each, and the traces that show it."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets as ipw
import polars as pl
import traitlets

from tracelab.auditing.findings import SEVERITIES
from tracelab.auditing.given import known_findings
from tracelab.conforming import span_frame
from tracelab.display.words import counted
from tracelab.errors import TracelabError
from tracelab.figures.parts.style import colors_in
from tracelab.markup import cut, visible
from tracelab.options import shown, whole
from tracelab.widgets.controls import Notice
from tracelab.widgets.findings import Findings, card_of, note_of
from tracelab.widgets.gantt import Gantt
from tracelab.widgets.witnesses import Witnesses

_ALL: Final = tuple(reversed(SEVERITIES))
_OFFERED: Final = 200
_LONGEST: Final = 80
_SEARCHED: Final = ("rule", "service_name", "caller", "callee", "detail", "library", "finding", "explanation", "fix")


class Audit(ipw.VBox):  # type: ignore[misc]
    """The findings of an audit, the most severe first, and the traces that show them.

    Click a finding, or choose it with the arrows and Enter: what was seen, why it matters and what to do stand below
    the list, and the timeline of its first exemplar below that, with the span that shows it selected. The arrows left
    and right go from exemplar to exemplar, Escape closes it. Of a trace that was split, both parts are shown as one
    where it is sure what belongs together. However many findings there are, only the rows in view, and some around
    them, are sent to the browser.

    Parameters
    ----------
    spans
        A span frame (polars or pandas).
    findings
        What `audit(spans)` gave, or rows of it; without, the spans are audited.
    rows
        How many findings are in view.

    Attributes
    ----------
    selected_row
        The number of the finding, in `findings`, that is chosen, or None. Set it to choose one.
    exemplar
        Which of its exemplars is shown, from 0.
    severities
        The severities that are listed.
    service_name
        Only findings are listed of the service of this name, or of an edge that it is an end of; where no service has
        this name, of all whose names hold it.
    filter_text
        Only findings that hold this text are listed.

    Raises
    ------
    TracelabError
        There is no such finding, or exemplar, or severity, or `findings` are none, or `rows` is no number of rows.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay  =========== kind=server
    ...   gone::GET
    ...     bank::pay  ..======    kind=server
    ... ''')
    >>> widget = Audit(spans)
    >>> widget.selected_row = 0
    >>> widget.selected["rule"].to_list(), widget.gantt.selected["name"].to_list()
    (['missing-parent'], ['pay'])
    """

    selected_row = traitlets.Int(None, allow_none=True)
    exemplar = traitlets.Int(0)
    severities = traitlets.Tuple(_ALL)
    service_name = traitlets.Unicode("")
    filter_text = traitlets.Unicode("")
    _gantt: Gantt | None = None  # of the class, since Python closes what was never made too

    def __init__(self, spans: Any, *, findings: Any = None, rows: int = 7) -> None:
        in_view = whole("rows", rows, least=1, why="It is how many findings are in view.")
        known = span_frame(spans)
        self._spans = known.collect() if isinstance(known, pl.LazyFrame) else known
        self._findings = known_findings(self._spans, findings)
        self._listed = _searchable(self._findings)
        self._matching = self._listed
        self._witnesses = Witnesses(self._spans)
        self._shown_spans = self._witnesses.spans
        # Services keep the colours that they have in figures of the whole frame.
        colors_in(self._spans, ())
        self._list, self._notice = Findings(rows=in_view), Notice()
        self._toggles, self._counts, self._evidence = _toggles(self._findings), ipw.HTML(), ipw.VBox([])
        services, text = _service_box(self._findings), ipw.Text(placeholder="filter by any word")
        text.layout.flex = "1 1 130px"
        bar = ipw.HBox([*self._toggles.values(), services, text, self._counts])
        bar.layout = ipw.Layout(flex_flow="row wrap", align_items="center")
        parts = [bar, self._notice, self._list, self._evidence]
        super().__init__(parts, layout=ipw.Layout(width="100%"))
        self.add_class("tracelab-audit")
        for severity, toggle in self._toggles.items():
            toggle.observe(lambda change, severity=severity: self._toggled(severity, on=change["new"]), "value")
        traitlets.link((services, "value"), (self, "service_name"))
        traitlets.link((text, "value"), (self, "filter_text"))
        self._list.listen(opened=self._opened, stepped=self._stepped, closed=self._closed)
        self._arrange()

    def __repr__(self) -> str:
        return f"Audit({counted(self._findings.height, 'finding')})"

    @property
    def findings(self) -> pl.DataFrame:
        """All findings, as `audit` gives them."""
        return self._findings

    @property
    def visible(self) -> pl.DataFrame:
        """The findings that are listed."""
        return self._findings[self._matching["row"]]

    @property
    def selected(self) -> pl.DataFrame:
        """The finding that is chosen, as a frame of one row; of none where nothing is."""
        return self._findings.head(0) if self.selected_row is None else self._findings.slice(self.selected_row, 1)

    @property
    def evidence(self) -> pl.DataFrame:
        """The spans of the traces that show what is chosen, split ones put together; none where nothing is."""
        return self._spans.head(0) if self.selected_row is None else self._witnesses.spans

    @property
    def gantt(self) -> Gantt | None:
        """The timeline of the exemplar that is shown; None where there is none."""
        return self._gantt if self._evidence.children else None

    def close(self) -> None:
        """Take the widget away."""
        if self._gantt is not None:
            self._gantt.close()
        super().close()

    @traitlets.validate("selected_row")
    def _known_row(self, proposal: dict[str, Any]) -> int | None:
        row = proposal["value"]
        if row is not None and not 0 <= row < self._findings.height:
            raise TracelabError(f"There is no finding {row}; there are {counted(self._findings.height, 'finding')}.")
        return row  # type: ignore[no-any-return]

    @traitlets.validate("exemplar")
    def _known_exemplar(self, proposal: dict[str, Any]) -> int:
        most = max(len(self._witnesses.places), 1)
        if not 0 <= proposal["value"] < most:
            raise TracelabError(f"There is no exemplar {proposal['value']}; this finding has {most}, from 0.")
        return int(proposal["value"])

    @traitlets.validate("severities")
    def _known_severities(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        wrong = [severity for severity in proposal["value"] if severity not in SEVERITIES]
        if wrong:
            raise TracelabError(f"`severities` must be of {', '.join(map(repr, _ALL))}, got {shown(wrong[0])}.")
        return tuple(severity for severity in _ALL if severity in proposal["value"])

    @traitlets.observe("severities", "service_name", "filter_text")
    def _filtered(self, _: object) -> None:
        for severity, toggle in self._toggles.items():
            toggle.value = severity in self.severities
        self._arrange()

    @traitlets.observe("selected_row")
    def _row_chosen(self, _: object) -> None:
        self._witnesses.call(self.selected)
        self._list.choose(self._listed_at(), note=self._note(), moved=True)
        if self.exemplar:
            self.exemplar = 0
        else:
            self._show()

    @traitlets.observe("exemplar")
    def _exemplar_chosen(self, _: object) -> None:
        self._show()

    def _arrange(self) -> None:
        """List what the filters leave."""
        wanted = pl.col("severity").is_in(self.severities) & _words_in("words", self.filter_text)
        services = self._listed.select(pl.col("services").list.contains(self.service_name).any()).item()
        if self.service_name and services:
            wanted &= pl.col("services").list.contains(self.service_name)
        elif self.service_name:
            wanted &= _words_in("names", self.service_name)
        self._matching = self._listed.filter(wanted)
        total, left = self._findings.height, self._matching.height
        words = f"{left:,} of {counted(total, 'finding')}" if left < total else counted(total, "finding")
        self._counts.value = f'<div class="tracelab-counts">{words}</div>'
        self._list.show(self.visible, chosen=self._listed_at(), note=self._note())

    def _note(self) -> str:
        """Say why the list is empty."""
        if self._matching.height:
            return ""
        if self._findings.height:
            return "No finding is like that. Take a filter away."
        spans, services = self._spans.height, self._spans["service_name"].n_unique()
        if not spans:
            return "There are no spans to audit."
        return f"Nothing was found in {counted(spans, 'span')} of {counted(services, 'service')}."

    def _listed_at(self) -> int | None:
        """Find the place of the chosen finding in the list; None if it is filtered away."""
        found = None if self.selected_row is None else self._matching["row"].index_of(self.selected_row)
        return None if found is None else int(found)

    def _show(self) -> None:
        """Show what there is to say of the chosen finding, and the exemplar that is to be shown."""
        if self.selected_row is None:
            self._list.card, self._evidence.children = {}, ()
            self._notice.say("")
            return
        witnesses, at = self._witnesses, self.exemplar
        total = len(witnesses.places)
        card = card_of(self.selected.row(0, named=True))
        if total:
            trace_id, span_id = witnesses.places[at]
            card |= {
                "exemplar": f"exemplar {at + 1} of {total}",
                "ids": f"trace {trace_id} span {span_id}",
                "before": at > 0,
                "behind": at < total - 1,
                "note": note_of(witnesses.notes[at]),
            }
        self._list.card = card
        self._draw()

    def _draw(self) -> None:
        """Show the trace of the exemplar, in the timeline that is there, with its span selected."""
        if not self._witnesses.places:
            self._evidence.children = ()
            self._notice.say(
                "" if not self.selected["exemplar_trace_ids"][0].len() else "The spans hold none of its exemplars."
            )
            return
        self._notice.say("")
        trace_id, span_id = self._witnesses.places[self.exemplar]
        if self._gantt is None:
            self._gantt = Gantt(self._witnesses.spans, trace_id, rows=20)
        elif self._shown_spans is not self._witnesses.spans or self._gantt.trace_id != trace_id:
            self._gantt.show(self._witnesses.spans, trace_id)
        self._shown_spans = self._witnesses.spans
        self._gantt.filter_text = ""
        self._gantt.unfold_all()
        self._gantt.selected_span_id = span_id
        self._evidence.children = (self._gantt,)

    def _toggled(self, severity: str, *, on: bool) -> None:
        others = [each for each in self.severities if each != severity]
        self.severities = (*others, severity) if on else tuple(others)

    def _opened(self, row: int) -> None:
        if 0 <= row < self._matching.height:
            self.selected_row = int(self._matching["row"][row])

    def _stepped(self, by: int) -> None:
        if 0 <= self.exemplar + by < len(self._witnesses.places):
            self.exemplar += by

    def _closed(self) -> None:
        self.selected_row = None


def _searchable(findings: pl.DataFrame) -> pl.DataFrame:
    """Give each finding its number, its services, and its words in small letters."""
    ends = ("service_name", "caller", "callee")
    return findings.select(
        pl.int_range(pl.len()).alias("row"),
        pl.col("severity").cast(pl.String),
        pl.concat_list(ends).list.drop_nulls().alias("services"),
        pl.concat_str(ends, separator="\n", ignore_nulls=True).str.to_lowercase().alias("names"),
        pl.concat_str(_SEARCHED, separator="\n", ignore_nulls=True).str.to_lowercase().alias("words"),
    )


def _words_in(column: str, text: str) -> pl.Expr:
    """Match rows that hold every word of a text."""
    words = text.lower().split()
    return pl.all_horizontal(pl.lit(value=True), *(pl.col(column).str.contains(word, literal=True) for word in words))


def _toggles(findings: pl.DataFrame) -> dict[str, ipw.ToggleButton]:
    """Make a button per severity that says how many findings it has."""
    made = {}
    for severity in _ALL:
        count = int((findings["severity"] == severity).sum())
        button = ipw.ToggleButton(value=True, description=f"{severity} {count:,}", layout=ipw.Layout(width="auto"))
        button.tooltip = f"List findings of severity {severity}, or leave them out"
        button.disabled = not count
        made[severity] = button
    return made


def _service_box(findings: pl.DataFrame) -> ipw.Combobox:
    """Make a box that offers the services with the most findings, and takes any part of a name."""
    names = pl.concat([findings[end] for end in ("service_name", "caller", "callee")]).drop_nulls()
    offered = names.value_counts(sort=True).sort("count", names.name, descending=[True, False]).head(_OFFERED)
    box = ipw.Combobox(
        options=tuple(cut(visible(name), _LONGEST) for name in offered[names.name]),
        placeholder="all services",
        layout=ipw.Layout(flex="0 1 170px"),
    )
    box.tooltip = "Only findings of this service, or of its calls"
    box.add_class("tracelab-services")
    return box
