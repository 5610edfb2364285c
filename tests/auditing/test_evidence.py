"""What rules read: texts as numbers, and what is found out once however many rules ask."""

from __future__ import annotations

import threading
import time

import numpy as np

from tracelab.auditing.evidence import CLIENT, SERVER, Evidence
from tracelab.synthetic import draw, generate


def test_what_several_threads_ask_for_is_measured_once() -> None:
    evidence = Evidence(draw("web::GET  ==="))
    measured: list[int] = []

    def slow() -> int:
        time.sleep(0.05)
        measured.append(1)
        return len(measured)

    answers: list[int] = []
    asking = [threading.Thread(target=lambda: answers.append(evidence.kept("something slow", slow))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert (measured, answers) == ([1], [1] * 8)


def test_what_is_read_from_places_is_what_the_ids_say() -> None:
    evidence = Evidence(generate(5_000, seed=3).sample(fraction=0.9, seed=1, shuffle=True))
    frame, parent = evidence.frame, evidence.parent
    ids = frame["span_id"].to_list()
    named = [place for place in range(frame.height) if parent[place] >= 0]
    assert [ids[parent[place]] for place in named] == [frame["parent_span_id"][place] for place in named]
    assert set(np.flatnonzero(~evidence.childless).tolist()) == {int(parent[place]) for place in named}
    traces = frame["trace_id"].to_list()
    assert len(set(zip(traces, evidence.trace.tolist(), strict=True))) == len(set(traces)) == evidence.trace.max() + 1
    kinds = frame["kind"].to_list()
    rows = np.arange(frame.height)
    assert evidence.of_kinds(rows, SERVER, CLIENT).tolist() == [kind in {"server", "client"} for kind in kinds]
    pairs = set(zip(frame["service_name"].to_list(), kinds, strict=True))
    has = evidence.kinds_of_services[:, SERVER].tolist()
    assert has == [(service, "server") in pairs for service in evidence.services]
