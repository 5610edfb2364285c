"""Commands that are given the address of a server: found out by asking, fetched, and dumps stay dumps."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

import tracelab as tl
from tests.live.servers.faults import Asked, Reply, serving
from tests.live.servers.jaegers import BEGIN, Jaeger, traces
from tests.live.servers.tempos import Tempo
from tracelab.cli import app
from tracelab.lab import notebook_about, served
from tracelab.live import Wanted, call_for

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2secret"  # noqa: S105 - of nothing
SINCE = ("--start", str(BEGIN))


def run(*words: str, code: int = 0, env: dict[str, str] | None = None) -> Result:
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"} | (env or {}))
    assert done.exit_code == code, done.output
    assert SECRET not in done.output
    return done


@pytest.mark.parametrize("old", [False, True])
def test_every_command_takes_a_jaeger(old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)  # is not installed, as files at addresses need it, and servers not
    page, dump = tmp_path / "out.html", tmp_path / "out.parquet"
    with serving(Jaeger(traces(3), old=old)) as server:
        told = run("summary", server.url, *SINCE)
        assert "3 spans in 3 traces" in told.stdout
        assert f"{server.url} is a Jaeger: fetching the traces of all services from 2026-05-28" in told.stderr
        run("report", server.url, "-o", str(page), *SINCE)
        run("convert", server.url, str(dump), *SINCE)
        answer = run("query", server.url, '{ name = "buy" }', "--json", *SINCE)
    assert page.stat().st_size > 1_000_000
    assert tl.read(dump).height == 3
    assert len([json.loads(line) for line in answer.stdout.splitlines()]) == 3


@pytest.mark.parametrize("echoes", [True, False])
def test_a_tempo_is_told_by_its_answers(echoes: bool) -> None:
    with serving(Tempo(traces(4), echoes=echoes)) as server:
        told = run("summary", f"{server.url}/", *SINCE, "--tenant", "blue", "--service", "shop")
    assert "4 spans in 4 traces" in told.stdout
    assert server.asked[-1].headers["X-Scope-OrgID"] == "blue"
    search = next(asked for asked in server.asked if asked.path == "/api/search")
    assert search.one("q") == '{ resource.service.name = "shop" }'


def test_a_query_is_asked_of_a_tempo_itself() -> None:
    with serving(Tempo(traces(4))) as server:
        run("query", server.url, '{ name = "buy" } | count() > 0', *SINCE)
        run("query", server.url, "{ } | rate()", *SINCE)
    asked = [asked.one("q") for asked in server.asked if asked.path == "/api/search"]
    assert list(dict.fromkeys(asked)) == ['{ name = "buy" } | count() > 0', "{}"]


def test_options_say_what_is_fetched() -> None:
    held = traces(20) + traces(20, service="bank", first=100)
    with serving(Jaeger(held)) as server:
        told = run("summary", server.url, *SINCE, "--service", "bank", "--max-traces", "7")
        both = run("summary", server.url, *SINCE, "--service", "bank", "--service", "shop")
    assert "7 spans in 7 traces of 1 service" in told.stdout
    assert "40 spans" in both.stdout


def test_links_of_pages_are_understood() -> None:
    start, end = BEGIN // 1000, BEGIN // 1000 + 9_500_000
    with serving(Jaeger(traces(20))) as server:
        search = f"{server.url}/jaeger/search?service=shop&start={start}&end={end}&limit=20&lookback=custom"
        assert "10 spans" in run("summary", search).stdout
        assert "5 spans" in run("summary", search, "--max-traces", "5").stdout
        assert "not heeded" in run("summary", f"{search}&traceID=1").stderr.lower()


def test_a_dump_at_an_address_is_read_as_a_dump() -> None:
    dump = json.dumps({"resourceSpans": [trace.otlp() for trace in traces(3)]}).encode()
    with serving(lambda asked: Reply(200, dump) if asked.path in ("/a.json", "/dump") else Reply(404, b"no")) as server:
        assert "3 spans" in run("summary", f"{server.url}/a.json").stdout
        assert len({asked.path for asked in server.asked}) == 1
        assert "3 spans" in run("summary", f"{server.url}/dump").stdout


def test_a_store_that_refuses_what_it_has_not_gives_its_dumps() -> None:
    dump = json.dumps({"resourceSpans": [trace.otlp() for trace in traces(3)]}).encode()
    with serving(lambda asked: Reply(200, dump) if asked.path == "/bucket/dump" else Reply(403, b"no")) as server:
        assert "3 spans" in run("summary", f"{server.url}/bucket/dump").stdout


def test_a_store_whose_every_answer_is_a_dump_is_no_jaeger() -> None:
    dump = json.dumps({"data": [trace.jaeger() for trace in traces(3)]}).encode()
    with serving(lambda _: Reply(200, dump)) as server:
        assert "3 spans" in run("summary", f"{server.url}/dump").stdout


def test_options_for_servers_are_refused_for_dumps(tmp_path: Path) -> None:
    path = tmp_path / "dump.jsonl"
    tl.write(tl.synthetic.draw("api ="), path)
    told = run("summary", str(path), "--service", "shop", "--max-traces", "5", code=2)
    assert "--service, --max-traces: this is for a Jaeger or Tempo" in told.stderr
    assert "this one searches" in run("query", str(path), "{ }", "--start", "5", code=2).stderr
    assert "--lookback" in run("lab", str(path), str(path), "--lookback", "5m", code=2).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lookback", "yesterday"], "is no duration"),
        (["--start", "soon"], "`start` must be a time"),
        (["--start", "2026-01-02", "--end", "2026-01-01"], "must lie before"),
        (["--max-traces", "0"], "`limit` must be"),
        (["--header", "nothing"], "'NAME: VALUE'"),
        (["--header", "A: $NO_SUCH_NAME_HERE"], "no variable NO_SUCH_NAME_HERE"),
        (["--auth", SECRET], "user:password"),
        (["--tenant", "blue"], "x-tenant"),
    ],
)
def test_options_that_are_none_are_mistakes_of_the_command(words: list[str], message: str) -> None:
    with serving(Jaeger(traces(1))) as server:
        assert message in run("summary", server.url, *words, code=2).stderr


def test_secrets_come_from_the_environment_and_are_shown_nowhere() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(401, b"no") if asked.headers.get("X-Key") != SECRET else jaeger(asked)

    jaeger, env = Jaeger(traces(2)), {"MY_KEY": SECRET, "MY_LOGIN": f"joe:{SECRET}"}
    with serving(answer) as server:
        run("summary", server.url, *SINCE, "--header", "X-Key: ${MY_KEY}", "--auth", "$MY_LOGIN", env=env)
        assert server.asked[-1].headers["Authorization"].startswith("Basic ")
        assert "answered 401" in run("summary", server.url.replace("//", f"//joe:{SECRET}@"), code=1).stderr


def test_an_address_without_its_scheme_is_a_mistake_that_is_explained() -> None:
    assert "http://localhost:16686" in run("summary", "localhost:16686", code=2).stderr


def test_of_one_trace_there_is_nothing_to_choose() -> None:
    with serving(Jaeger(traces(1))) as server:
        assert "of one trace" in run("summary", f"{server.url}/trace/1", "--service", "shop", code=2).stderr


def test_who_is_not_there_is_said_once() -> None:
    assert "nothing listens there" in run("summary", "http://127.0.0.1:1", code=1).stderr


def test_the_tenant_that_is_missing_is_said() -> None:
    tempo = Tempo(traces(2))
    with serving(lambda asked: tempo(asked) if asked.path == "/api/echo" else Reply(401, b"no org id")) as server:
        assert "serves several tenants" in run("summary", server.url, code=1).stderr


def test_a_notebook_about_a_server_fetches_and_keeps_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    with serving(Jaeger(traces(5))) as server:
        wanted = Wanted(start=BEGIN, services=("shop",), headers={"X-Key": "Token $MY_KEY"}, auth="joe:${MY_KEY}")
        call = call_for(server.url, wanted)
        assert call is not None
        opened = notebook_about(served(call))
        text = opened.notebook.read_text()
        assert SECRET not in text
        cells = ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        fetching = cells[0].replace("%load_ext tracelab\n", "")
        names: dict[str, object] = {}
        exec(fetching, names)  # noqa: S102 - what the notebook runs
        spans = names["spans"]
        assert cells[1] == "tl.fetch_report()"
        again = notebook_about(served(call))
    assert getattr(spans, "height", 0) == 5
    assert server.asked[-1].headers["X-Key"] == f"Token {SECRET}"
    assert again.notebook == opened.notebook


@pytest.mark.parametrize("wanted", [Wanted(auth="joe:hunter2"), Wanted(headers={"Authorization": "Bearer hunter2"})])
def test_a_notebook_that_would_keep_a_secret_is_not_made(wanted: Wanted) -> None:
    with serving(Jaeger(traces(5))) as server:
        call = call_for(server.url, wanted)
        assert call is not None
        with pytest.raises(tl.SourceError, match="in single quotes"):
            served(call)
        assert "hunter2" not in repr(call)
        named = call_for(server.url.replace("//", "//joe:hunter2@"), Wanted())
        assert named is not None
        assert "hunter2" not in repr(named) + str(named)
        with pytest.raises(tl.SourceError, match="in single quotes"):
            served(named)


def test_a_notebook_about_nothing_is_not_made() -> None:
    with serving(Jaeger(traces(5))) as server:
        call = call_for(server.url, Wanted(start=BEGIN + 10**15))
        assert call is not None
        with pytest.raises(tl.LoadError, match="no traces of this time"):
            served(call)
