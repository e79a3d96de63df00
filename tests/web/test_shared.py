"""One fragment for many tabs."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.types import Receive, Scope, Send

from asyncflow.web import dag_list
from asyncflow.web.shared import Metered
from tests.web.conftest import RUN, Site

TOKENS = {"a": "a" * 43, "b": "b" * 43}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses for which the list of DAGs was really made."""
    done: list[str] = []
    real = dag_list._list

    async def counted(request: Any) -> dict[str, Any]:
        done.append(str(request.url.query))
        return await real(request)

    monkeypatch.setattr(dag_list, "_list", counted)
    return done


def _fetch(site: Site, who: str = "a", query: str = "", mark: str = "", **cookies: str) -> Any:
    """As the page of `who` fetches after an event."""
    all_of_them = {"asyncflow_form": TOKENS[who], **cookies}
    cookie = "; ".join(f"{name}={value}" for name, value in all_of_them.items())
    seen = f"dags {mark or site.app.state.live.mark}"
    site.cookies.clear()
    return site.get(f"/list/table?{query}", Cookie=cookie, **{"Asyncflow-Seen": seen})


def test_who_fetches_after_the_same_event_gets_the_same_with_their_own_token(site: Site, made: list[str]) -> None:
    mark = str(site.app.state.live.mark)
    first, second = _fetch(site, "a", mark=mark), _fetch(site, "b", mark=mark)
    assert len(made) == 1
    assert TOKENS["a"] in first.text
    assert TOKENS["b"] in second.text
    assert TOKENS["a"] not in second.text
    assert first.text.replace(TOKENS["a"], TOKENS["b"]) == second.text


def _bars(text: str) -> str:
    return text.partition('class="minis"')[2].partition("</td>")[0]


def test_after_a_change_it_is_made_anew(site: Site, made: list[str]) -> None:
    assert "state-failed" not in _bars(_fetch(site).text)
    site.ask(site.server.actions.mark_run, "etl", RUN, "failed")
    assert "state-failed" in _bars(_fetch(site).text)
    assert len(made) == 2


def test_what_the_tab_has_already_is_not_sent(site: Site, made: list[str]) -> None:
    mark = str(site.app.state.live.mark)
    name = _fetch(site, mark=mark).headers["asyncflow-print"]
    assert _fetch(site, "b", f"have={name}", mark=mark).status_code == 204
    assert _fetch(site, "b", "have=other", mark=mark).status_code == 200
    assert len(made) == 1


@pytest.mark.parametrize(
    "other", [{"query": "q=etl"}, {"asyncflow_language": "ko"}, {"asyncflow_zone": "browser"}], ids=lambda it: str(it)
)
def test_other_filters_and_wishes_are_other_fragments(site: Site, made: list[str], other: dict[str, str]) -> None:
    mark = str(site.app.state.live.mark)
    _fetch(site, mark=mark)
    _fetch(site, mark=mark, **other)
    assert len(made) == 2


@pytest.mark.parametrize("seen", ["", "dags", "dags nonsense", "dags 00000000-0-0", "dags {server}-9999-0"])
def test_without_a_mark_of_this_server_it_is_made_anew(site: Site, made: list[str], seen: str) -> None:
    mark = site.app.state.live.mark
    _fetch(site)
    site.cookies.set("asyncflow_form", TOKENS["a"])
    assert site.get("/list/table", **{"Asyncflow-Seen": seen.format(server=mark.server)}).status_code == 200
    assert len(made) == 2


def test_errors_are_not_kept(site: Site) -> None:
    assert _fetch(site, query="status=nonsense").status_code == 400
    assert _fetch(site, query="status=nonsense").status_code == 400


def test_the_address_of_a_fragment_does_not_grow(site: Site) -> None:
    text = site.get("/list/table?q=etl&have=1").text
    assert text.count("have=") == 1


def test_what_a_fetch_costs_goes_into_the_budget(site: Site) -> None:
    _fetch(site)
    assert 0 < site.app.state.live.budget._costs["dags"] < 1


def test_an_error_while_it_is_metered_goes_on_to_who_asked(site: Site) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.lowlevel.checkpoint()
        with pytest.raises(RuntimeError, match="within"):
            await _fail()
        raise RuntimeError("it breaks")

    async def _fail() -> None:
        await anyio.lowlevel.checkpoint()
        raise RuntimeError("within")

    scope = {"type": "http", "app": site.app, "headers": [(b"asyncflow-seen", b"dags x")]}
    with pytest.raises(RuntimeError, match="it breaks"):
        site.ask(Metered(app), scope, None, None)
