"""Pages that the browser has already."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from asyncflow.core.models import Pool
from tests.web.conftest import RUN, RUN_PATH, Site, a_dag


@pytest.fixture
def site(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Its clock stands still: steps of time make other tags."""
    now = site.server.clock.now()
    monkeypatch.setattr(site.server.actions.pages._clock, "now", lambda: now)
    site.get("/")  # the form token
    return site


def _again(site: Site, path: str, **headers: str) -> tuple[httpx.Response, httpx.Response]:
    """A page, and the answer to a browser that has it."""
    first = site.get(path, **headers)
    assert first.status_code == 200
    return first, site.get(path, **headers, **{"If-None-Match": first.headers.get("etag", "")})


PAGES = ["/", "/?q=etl", "/runs", "/dags/etl/grid", "/dags/etl/graph", "/dags/etl/code", RUN_PATH]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_that_has_not_changed_is_not_made_again(site: Site, path: str) -> None:
    first, second = _again(site, path)
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["etag"] == first.headers["etag"]
    assert first.headers["cache-control"] == second.headers["cache-control"] == "private, no-cache"
    assert "Cookie" in first.headers["vary"]


@pytest.mark.parametrize(
    "path",
    ["/health", "/dags/etl/trigger", f"{RUN_PATH}/tasks/extract", f"{RUN_PATH}/tasks/extract/log", f"{RUN_PATH}/clear"],
)
def test_secrets_logs_and_forms_that_act_once_stay_out_of_the_browsers_files(site: Site, path: str) -> None:
    answer = site.get(path)
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def _pool(site: Site) -> None:
    site.ask(site.server.store.put_pool, Pool(name="p", slots=1))


CHANGES: dict[str, Any] = {
    "by an action": lambda site: site.ask(site.server.actions.pause_dag, "etl"),
    "of a run": lambda site: site.ask(site.server.actions.mark_run, "etl", RUN, "failed"),
    "by a file": lambda site: site.break_file("etl.py", "invalid syntax", 3),
    "in the store alone": _pool,
    "of what is shown without a commit": lambda site: site.server.changes.noted(),
    "of a new DAG": lambda site: site.add(a_dag("new")),
    "by a running task": lambda site: site.ask(site.server.store.xcom_clear, _key()),
}


def _key() -> Any:
    from asyncflow.core.models import TaskKey

    return TaskKey("etl", RUN, "extract")


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("path", ["/", RUN_PATH])
def test_after_any_change_it_is(site: Site, what: str, path: str) -> None:
    first = site.get(path)
    CHANGES[what](site)
    assert site.get(path, **{"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(
    "wish", [("asyncflow_theme", "dark"), ("asyncflow_zone", "browser"), ("asyncflow_language", "ko")]
)
def test_another_wish_is_another_page(site: Site, wish: tuple[str, str]) -> None:
    first = site.get("/")
    site.cookies.set(*wish)
    assert site.get("/", **{"If-None-Match": first.headers["etag"]}).status_code == 200


def test_times_count_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site.get("/")
    later = site.server.clock.now() + timedelta(seconds=10)
    monkeypatch.setattr(site.server.actions.pages._clock, "now", lambda: later)
    assert site.get("/", **{"If-None-Match": first.headers["etag"]}).status_code == 200


def test_a_page_that_gives_a_new_form_token_is_not_kept(site: Site) -> None:
    site.cookies.clear()
    assert "etag" not in site.get("/").headers


def test_fragments_and_errors_are_not_kept(site: Site) -> None:
    assert "etag" not in site.get("/", **{"HX-Request": "true"}).headers
    assert "etag" not in site.get("/?status=nonsense").headers
