"""The pages about the server, as a browser without scripts gets them."""

from __future__ import annotations

import re
from pathlib import Path

import anyio
import pytest

from asyncflow.config import Origin
from asyncflow.core.inventory import Inventory, PluginFacts, ProviderFacts
from asyncflow.engine import server_pages
from asyncflow.executors.oneshot import ChildFailed
from asyncflow.web.events import Tab, topics_of
from tests.web.conftest import Site

PAGES = ["/admin", "/admin/health", "/admin/config", "/admin/plugins", "/admin/log", "/admin/about"]
LINE = "[2026-01-02T00:00:0{n}.000+0000] {{asyncflow.x:1}} {level} - {text}\n"


@pytest.fixture(autouse=True)
def _no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, b'{"plugins": [], "providers": [], "errors": []}')


def answer(monkeypatch: pytest.MonkeyPatch, found: bytes | Exception) -> None:
    """What the process that imports plugins would say."""

    async def ask(*_: object) -> bytes:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(server_pages, "ask_child", ask)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_its_place_and_one_heading(site: Site, path: str) -> None:
    text = site.text(path)
    assert text.count("<h1") == 1
    assert 'href="/admin" data-go="a" aria-current="page"' in text
    assert path == "/admin" or f'<a href="{path}" aria-current="page">' in text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert not re.search(r"<[^>]+ style=", text)


def test_the_dot_leads_to_the_page_for_people(site: Site) -> None:
    assert 'id="pulse" class="pulse" href="/admin/health"' in site.text("/")


# ---- health ---------------------------------------------------------------------------------------------------------


def test_health_shows_what_is_wrong_and_what_waits(site: Site) -> None:
    site.break_file("broken.py", "no")
    text = site.text("/admin/health")
    assert "1 DAG file cannot be loaded." in text
    assert "The DAG folder" in text
    assert "does not exist" in text
    assert "Nothing runs, nothing waits." in text
    assert "asyncflow serve" in text
    site.ask(site.server.actions.trigger_dag, "etl")
    site.ask(_poll, site)
    site.server.actions.server._vitals = None
    text = site.text("/admin/health/now")
    assert "etl.extract" in text
    assert "wait for the tasks before them" in text


async def _poll(site: Site) -> None:
    def decide(world: object, now: object) -> None:
        world.poll(now)  # type: ignore[attr-defined]

    await site.server.scheduler.do(decide)


def test_a_page_that_shows_health_is_told_every_two_seconds_and_no_other(site: Site) -> None:
    live = site.app.state.live
    shows, other = (Tab(topics=topics_of({name: "1"})) for name in ("server", "runs"))
    live._tabs += [shows, other]
    for _ in range(server_pages_calls()):
        site.server.monitor._note(0.0, site.server.clock.now())
    assert (shows.pending, other.pending) == ({"server"}, set())
    live._tell(frozenset({("etl", "run")}))
    assert (shows.pending, other.pending) == ({"server"}, {"runs"})


def server_pages_calls() -> int:
    from asyncflow.engine.monitor import PER_CALL

    return PER_CALL


# ---- configuration --------------------------------------------------------------------------------------------------


def test_configuration_says_where_values_come_from(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CELERY__BROKER_URL", "redis://secret")
    site.server.actions.server.origins = {"port": Origin("environment", "ASYNCFLOW_PORT")}
    text = site.text("/admin/config")
    assert "ASYNCFLOW_PORT" in text
    assert "[core] dags_folder" in text
    assert "AIRFLOW__CELERY__BROKER_URL" in text
    assert "redis://secret" not in text
    only = site.text("/admin/config?only=set")
    assert re.findall(r'<tr id="(\w+)"', only) == ["port"]
    assert "No setting matches." in site.text("/admin/config?q=%3Cnone%3E")


# ---- plugins --------------------------------------------------------------------------------------------------------


def test_plugins_and_what_is_wrong_with_them(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec

    found = Inventory(
        plugins=(PluginFacts(name="<loud>", source="loud.py", provides={"macros": ("shout",)}),),
        providers=(ProviderFacts(package="providers-http", version="5.0", connection_types=("http",)),),
        errors=("The plugin file x.py cannot be imported\nTraceback: <b>",),
    )
    answer(monkeypatch, msgspec.json.encode(found))
    text = site.text("/admin/plugins")
    assert "&lt;loud&gt;" in text
    assert "providers-http" in text
    assert "<summary>The plugin file x.py cannot be imported</summary>" in text
    assert "Traceback: &lt;b&gt;" in text


def test_plugins_that_hang_are_a_sentence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, ChildFailed("There was no answer within 30 seconds."))
    assert "There was no answer within 30 seconds." in site.text("/admin/plugins")


# ---- the server's log -----------------------------------------------------------------------------------------------


@pytest.fixture
def log(site: Site) -> Path:
    """Five records."""
    path = site.server.settings.server_log
    levels = ("INFO", "WARNING", "ERROR", "INFO", "INFO")
    path.write_text("".join(LINE.format(n=n, level=level, text=f"<said {n}>") for n, level in enumerate(levels)))
    return path


def shown(text: str) -> list[str]:
    return re.findall(r"&lt;said (\d)&gt;</div>", text)


def test_the_log_is_shown_by_level_and_text(site: Site, log: Path) -> None:
    assert shown(site.text("/admin/log")) == ["0", "1", "2", "3", "4"]
    assert shown(site.text("/admin/log?level=warning")) == ["1", "2"]
    assert shown(site.text("/admin/log?q=SAID+2")) == ["2"]
    assert "Nothing was found." in site.text("/admin/log?q=none")
    assert site.get("/admin/log?level=odd").status_code == 400
    assert site.get("/admin/log?part=x").status_code == 400


def test_the_log_grows_with_what_is_asked_for(site: Site, log: Path) -> None:
    text = site.text("/admin/log?level=error&q=said")
    (more,) = re.findall(r'hx-get="(/admin/log/more[^"]+)"', text)
    with log.open("a") as file:
        file.write(LINE.format(n=5, level="INFO", text="<said 5>") + LINE.format(n=6, level="ERROR", text="<said 6>"))
    text = site.text(more.replace("&amp;", "&"))
    assert shown(text) == ["6"]
    assert f"from={log.stat().st_size}" in text
    assert "level=error" in text
    assert "<html" not in text


def test_older_records_are_a_page_before(site: Site, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncflow.web import admin_pages

    monkeypatch.setattr(admin_pages, "_RECORDS", 2)
    text = site.text("/admin/log")
    assert shown(text) == ["3", "4"]
    (older,) = re.findall(r'<a href="([^"]+)" rel="prev"', text)
    text = site.text("/admin/log" + older.replace("&amp;", "&"))
    assert shown(text) == ["1", "2"]
    assert 'rel="next"' in text
    assert "hx-get" not in text.split('id="server-log"')[1].split("</div>\n")[0]


def test_the_log_is_downloaded_without_secrets(site: Site, log: Path) -> None:
    site.ask(site.server.store.variable_set, "api_key", "said 2", None)
    answer = site.get("/admin/log/text")
    assert answer.headers["content-disposition"] == 'attachment; filename="server.log"'
    assert answer.text.splitlines()[2] == "[2026-01-02T00:00:02.000+0000] {asyncflow.x:1} ERROR - <***>"
    assert site.get("/admin/log/text?part=3").status_code == 404


def test_no_log_is_a_sentence(site: Site) -> None:
    assert "No log yet." in site.text("/admin/log")


def test_whoever_shows_the_log_is_told_when_it_is_written(site: Site) -> None:
    import logging

    tab = Tab(topics=topics_of({"serverlog": "1"}))
    site.app.state.live._tabs.append(tab)

    async def write() -> None:
        with site.server.actions.server.keeping_log():
            logging.getLogger("asyncflow.test").error("heard?")
            with anyio.fail_after(5):
                await tab.woken.wait()

    site.ask(write)
    assert tab.pending == {"serverlog"}
    assert "heard?" in site.text("/admin/log")


# ---- on every page --------------------------------------------------------------------------------------------------


def test_every_page_tells_of_a_database_that_cannot_be_written(site: Site) -> None:
    assert 'class="alarms"' not in site.text("/runs")
    site.server.scheduler.store_trouble = "The database: the disk is <full>."
    text = site.text("/runs")
    assert (
        '<div class="alarms" role="status"><a href="/admin/health">The database: the disk is &lt;full&gt;.</a>' in text
    )
