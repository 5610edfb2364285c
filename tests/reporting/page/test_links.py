from __future__ import annotations

from tracelab.reporting.page.links import Links, checked_url

ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_an_id_leads_to_its_timeline_or_nowhere() -> None:
    links = Links([ID])
    assert links.trace(ID) == links.timeline(ID) == f"#trace-{ID}"
    assert links.trace("5" * 32) is None
    assert links.server(ID) is None


def test_with_an_address_it_leads_to_the_server_and_is_quoted() -> None:
    links = Links([ID], checked_url(" http://jaeger:16686/trace/{trace_id}?from={trace_id} "))
    assert links.trace(ID) == f"http://jaeger:16686/trace/{ID}?from={ID}"
    assert links.server("a/../b?c#d e\"'<") == (
        "http://jaeger:16686/trace/a%2F..%2Fb%3Fc%23d%20e%22%27%3C?from=a%2F..%2Fb%3Fc%23d%20e%22%27%3C"
    )


def test_the_place_of_an_id_that_is_none_is_numbered() -> None:
    links = Links([ID, 'a" onclick="x', "b c"])
    assert [links.anchor(each) for each in links.drawn] == [f"trace-{ID}", "trace.1", "trace.2"]
