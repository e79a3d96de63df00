"""What every page has, and what keeps other sites out."""

from __future__ import annotations

import re

import pytest

from tests.web.conftest import RUN_PATH, Site, token_in
from tests.web.hostile import HEADERS

PAGES = [
    "/",
    "/runs",
    "/search?q=etl",
    RUN_PATH,
    f"{RUN_PATH}/tasks/load",
    f"{RUN_PATH}/tasks/load/log",
    "/dags/etl/trigger",
    "/pools",
    "/pools/default_pool",
    "/add/pool",
    "/connections",
    "/connections/fs_default",
    "/add/connection",
    "/variables",
    "/add/variable",
    "/import/variables",
    "/delete/connections?name=fs_default",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_the_bar_the_stream_and_the_keys(site: Site, path: str) -> None:
    text = site.text(path)
    assert 'hx-sse:connect="/events?since=' in text
    assert 'id="keys"' in text
    assert 'action="/search"' in text
    assert text.count("<h1") == 1


@pytest.mark.parametrize("path", PAGES)
def test_pages_may_load_only_what_is_ours(site: Site, path: str) -> None:
    answer = site.get(path)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<[^>]+ style=", answer.text)
    assert "<script>" not in answer.text
    assert not re.search(r"""(src|href)=["'](https?:)?//""", answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_ids_are_given_once(site: Site, path: str) -> None:
    ids = re.findall(r' id="([^"]+)"', site.text(path))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("token", [None, "", "of another site", "ü"])
def test_a_form_of_another_site_changes_nothing(site: Site, token: str | None) -> None:
    site.get("/")
    answer = site.post("/dags/etl/pause", {} if token is None else {"form_token": token})
    assert answer.status_code == 403
    assert not site.ask(site.server.actions.get_dag, "etl")["paused"]


def test_a_form_without_cookie_changes_nothing(site: Site) -> None:
    token = token_in(site.get("/"))
    site.cookies.clear()
    assert site.post("/dags/etl/pause", {"form_token": token}).status_code == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:8080", 303), ("http://localhost:3000", 403), ("http://evil.example", 403), ("null", 403)],
)
def test_a_form_from_another_port_of_this_machine_is_refused_although_it_has_the_cookie(
    site: Site, origin: str, status: int
) -> None:
    form = {"form_token": token_in(site.get("/")), "theme": "dark", "back": "/"}
    assert site.post("/preferences", form, Origin=origin).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/pools", 200),
        ("HEAD", "/runs", 200),
        ("GET", "/static/app.css", 200),
        ("GET", "/list/table", 200),
        ("GET", f"{RUN_PATH}/tasks/load/log/text", 200),
        ("GET", "/health", 200),
        ("GET", "/nothing", 404),
        ("GET", "/static/nothing", 404),
        ("GET", "/static/%2e%2e/pyproject.toml", 404),
        ("GET", "/static/..%2f..%2f..%2f..%2fetc/passwd", 404),
        ("GET", "/static/%00", 404),
        ("GET", "/dags/..%2f..%2fetc/grid", 404),
        ("GET", "/runs?state=what", 400),
        ("POST", "/", 405),
        ("DELETE", "/runs", 405),
        ("OPTIONS", "/pools", 405),
        ("TRACE", "/", 405),
        ("POST", "/static/app.css", 405),
        ("POST", "/preferences", 403),
    ],
)
def test_every_kind_of_answer_has_all_headers(site: Site, method: str, path: str, status: int) -> None:
    answer = site._request(method, path)
    assert answer.status_code == status
    assert [name for name in HEADERS if name not in answer.headers and "/static/app" not in path] == []
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    if status == 405 and not path.startswith("/static"):
        assert "GET" in answer.headers["allow"]
    if method == "HEAD":
        assert answer.content == b""
    elif status >= 400:
        assert ".</p>" in answer.text


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:80", 200), ("[::1]:8080", 200), ("My.LOCALHOST", 200), ("evil.example", 421), ("localhost.evil", 421)],
)
def test_a_foreign_host_name_is_refused(site: Site, host: str, status: int) -> None:
    site.base_url = f"http://{host}"
    assert site.get("/").status_code == status


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/dags/etll/trigger", 404, "Did you mean &#39;etl&#39;?"),
        ("/dags/etl/runs/none", 404, "There is no run"),
        (f"{RUN_PATH}/tasks/lod/log", 404, "Did you mean &#39;load&#39;?"),
        (f"{RUN_PATH}/tasks/load/log?try=x", 400, "is not a whole number"),
        ("/nowhere", 404, "There is no such page"),
        ("/dags/etl/pause", 405, "takes no such request"),
        ("/?status=odd", 400, "accepted are all, active"),
        ("/?sort=odd", 400, "accepted are paused, name"),
        ("/runs?state=odd", 400, "accepted are queued"),
        ("/runs?from=odd", 400, "odd"),
        (f"{RUN_PATH}/mark?state=odd", 400, "accepted are success"),
        (f"{RUN_PATH}/clear?ti=odd", 400, "map index:task id"),
        ("/list/selected?do=odd", 400, "accepted are pause"),
        ("/events?log=1", 400, "A log is named by"),
    ],
)
def test_a_wrong_address_is_a_page_with_a_sentence(site: Site, path: str, status: int, words: str) -> None:
    answer = site.get(path)
    assert answer.status_code == status
    assert words in answer.text


def test_health_is_json(site: Site) -> None:
    assert site.get("/health").json()["metadatabase"] == {"status": "healthy"}


@pytest.mark.parametrize("path", ["/static/app.css", "/static/app.js", "/static/htmx-4.0.1.min.js", "/static/icon.svg"])
def test_static_files_are_served(site: Site, path: str) -> None:
    assert site.get(path).status_code == 200


def test_the_first_page_is_small(site: Site) -> None:
    static = [
        "/static/app.css",
        "/static/app.js",
        "/static/conf.js",
        "/static/htmx-4.0.1.min.js",
        "/static/hx-sse-4.0.1.min.js",
        "/static/icon.svg",
    ]
    over_the_wire = sum(int(site.get(path).headers["content-length"]) for path in ["/", *static])
    assert over_the_wire < 60_000


# ---- preferences ----------------------------------------------------------------------------------------------------


def test_language_theme_and_zone_are_kept(site: Site) -> None:
    wish = {"language": "ko", "theme": "dark", "colours": "airflow2", "zone": "browser", "keys": "off"}
    wish["back"] = "/runs?state=failed"
    answer = site.send("/preferences", wish)
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?state=failed")
    site.cookies.set("asyncflow_browser_zone", "Asia%2FSeoul")  # as the script of the page writes it
    text = site.text("/runs")
    assert '<html lang="ko" data-theme="dark" data-colours="airflow2" data-keys="off">' in text
    assert "2026-01-02 09:00:00 KST" in text


@pytest.mark.parametrize(
    "page", ["grid", "gantt", "duration", "landing", "tries", "code", "details", "graph", "runs", "backfills"]
)
def test_all_times_of_a_dag_follow_the_zone(site: Site, page: str) -> None:
    site.cookies.set("asyncflow_zone", "browser")
    site.cookies.set("asyncflow_browser_zone", "Asia%2FSeoul")
    text = re.sub(r"[(]UTC[)]|zone is UTC|zone they are UTC", "", site.text(f"/dags/etl/{page}").partition("<main")[2])
    assert "UTC" not in text.partition("</main>")[0]


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_a_form_leads_nowhere_else(site: Site, back: str) -> None:
    assert site.send("/preferences", {"back": back}).headers["location"] == "/"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("ko-KR,ko;q=0.9,en;q=0.8", "ko"), ("de,en;q=0.5,ko;q=0.4", "en"), ("", "en"), ("ko;q=x", "en"), ("ko;q=0", "en")],
)
def test_the_browser_says_the_language_until_one_is_chosen(site: Site, accepted: str, language: str) -> None:
    assert f'<html lang="{language}"' in site.get("/", **{"Accept-Language": accepted}).text


@pytest.mark.parametrize("name", ["Nowhere/Land", "../../etc/passwd", "Europe", "x" * 300])
def test_an_unknown_zone_is_utc(site: Site, name: str) -> None:
    site.send("/preferences", {"zone": "browser"})
    site.cookies.set("asyncflow_browser_zone", name)
    assert "2026-01-02 00:00:00 UTC" in site.text("/runs")


def test_a_dags_own_zone_is_that_of_its_pages(empty: Site) -> None:
    from tests.web.conftest import a_dag, a_run

    empty.add(a_dag(timezone="America/New_York"))
    empty.store(a_run())
    empty.send("/preferences", {"zone": "dag"})
    assert "2026-01-01 19:00:00 EST" in empty.text(RUN_PATH)
    assert "2026-01-02 00:00:00 UTC" in empty.text("/runs")


# ---- search ---------------------------------------------------------------------------------------------------------


def test_search_finds_dags_tasks_and_runs(site: Site) -> None:
    text = site.text("/search/results?q=etl")
    assert 'href="/dags/etl"' in text
    assert "report" not in text
    assert 'href="/dags/report/tasks/extract"' in site.text("/search/results?q=EXTR")
    assert f'href="{RUN_PATH}"' in site.text("/search?q=scheduled__2026-01-01")
    assert "Nothing is called like that" in site.text("/search?q=nothing")
    assert site.text("/search/results?q=").strip() == ""
