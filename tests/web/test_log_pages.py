"""The log of a try, the file itself, and the merged log of a run."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from asyncflow.core.commands import SaveTry
from asyncflow.core.models import TaskInstance, TaskKey
from asyncflow.core.states import RunState, TaskState
from asyncflow.web import log_pages, run_log
from tests.web.conftest import DAY0, RUN, RUN_PATH, Site, a_run, a_ti

LOAD = f"{RUN_PATH}/tasks/load"
LOG = f"{RUN_PATH}/tasks/extract/log"
LINE = "[2026-01-02T00:00:0{n}.000+0000] {{task.py:1}} {level} - {text}\n"


def line(text: str, n: int = 0, level: str = "INFO") -> str:
    return LINE.format(n=n, level=level, text=text)


def follow(site: Site, path: str) -> str:
    """The page that an address leads to."""
    answer = site.get(path)
    assert answer.status_code == 303, answer.text
    return site.text(path.partition("?")[0] + answer.headers["location"].partition("#")[0])


def link(text: str, key: str) -> str:
    """Where a key of the page leads to."""
    found = re.search(rf'href="([^"]+)" data-key="{key}"', text)
    assert found is not None
    return LOG + found[1].replace("&amp;", "&")


def test_a_log_shows_the_last_try_and_links_every_try(site: Site) -> None:
    site.log("one <b>\n", "load", 1)
    site.log("two\n", "load", 2)
    text = site.text(f"{LOAD}/log")
    assert "two" in text
    assert f'href="{LOAD}/log?try=1"' in text
    assert "one &lt;b&gt;" in site.text(f"{LOAD}/log?try=1")


def test_a_log_that_is_not_there_is_said(site: Site) -> None:
    assert "No log yet." in site.text(f"{LOAD}/log")
    assert "No log yet." in site.text(f"{LOAD}/log?level=error")
    assert site.text(f"{LOAD}/log/text") == ""


def test_a_line_links_to_itself_in_its_try(site: Site) -> None:
    site.log("one\ntwo\n")
    assert 'id="b4"><a href="?try=1&amp;at=0#b4"' in site.text(LOG)


# ---- levels ---------------------------------------------------------------------------------------------------------


def test_lines_of_a_level_come_with_what_belongs_to_them_from_the_whole_file(site: Site) -> None:
    noise = "".join(line("calm") for _ in range(9000))
    site.log(line("early", level="WARNING") + noise + line("loud", level="ERROR") + "Traceback\n" + noise)
    text = site.text(f"{LOG}?level=warning")
    assert "calm" not in text
    assert all(word in text for word in ("early", "loud", "Traceback"))
    text = site.text(f"{LOG}?level=error")
    assert "early" not in text
    whole = re.search(r'<a href="([^"]+)" aria-label="#\d+"></a><time>[^<]+</time> [^<]+loud', text)
    assert whole is not None
    assert "level" not in whole[1]
    assert "calm" in site.text(LOG + whole[1].replace("&amp;", "&").partition("#")[0])


def test_a_level_without_lines_is_said(site: Site) -> None:
    site.log(line("calm"))
    assert "No line of this level." in site.text(f"{LOG}?level=error")
    assert site.get(f"{LOG}?level=loud").status_code == 400


def test_a_level_that_is_too_rare_says_how_far_was_looked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.log("x" * 99 + "\n" + line("calm") * 40_000)
    monkeypatch.setattr(log_pages, "_PATIENCE", 0.0)
    assert "Searched for lines of this level between" in site.text(f"{LOG}?level=error")


# ---- searching ------------------------------------------------------------------------------------------------------


def test_a_search_leads_to_the_part_of_the_file_and_on_to_the_next_place(site: Site) -> None:
    site.log("here is the Needle\n" + ("x" * 99 + "\n") * 10_000 + "needle two\n" + ("y" * 99 + "\n") * 10_000)
    text = follow(site, f"{LOG}?q=needle")
    assert "here is the <mark>Needle</mark>" in text
    text = follow(site, link(text, "n"))
    assert "<mark>needle</mark> two" in text
    assert 'data-hit="b1000019"' in text
    assert "here is the <mark>Needle</mark>" in follow(site, link(text, "N"))
    text = site.text(link(text, "n"))
    assert "Not found." in text
    assert "From the beginning" in text
    assert "Not found." in site.text(f"{LOG}?q=nothing")


def test_a_search_that_takes_too_long_can_go_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.log(("x" * 99 + "\n") * 30_000 + "needle\n")
    with monkeypatch.context() as patch:
        patch.setattr(log_pages, "_PATIENCE", 0.0)
        text = site.text(f"{LOG}?q=needle")
        assert "Not found as far as byte 1,000,000." in text
        back = site.text(f"{LOG}?q=nothing&before=3000000")
        assert "before=2000000" in back
    on = re.search(r'<a href="(\?[^"]+)">Search on', text)
    assert on is not None
    assert "<mark>needle</mark>" in follow(site, LOG + on[1].replace("&amp;", "&"))


# ---- parts ----------------------------------------------------------------------------------------------------------


def test_a_long_log_shows_its_end_and_links_the_rest(site: Site) -> None:
    site.log("first\n" + ("x" * 99 + "\n") * 5000 + "last\n")
    text = site.text(LOG)
    assert "last" in text
    assert ">first" not in text
    start = re.search(r'href="(\?[^"]*at=0[^"]*)"', text)
    assert start is not None
    assert "first" in site.text(f"{LOG}{start[1].replace('&amp;', '&')}")
    assert 'type="range" name="at" min="0" max="500011"' in text


def test_earlier_and_later_lines_come_as_they_are_asked_for(site: Site) -> None:
    site.log("".join(f"line {n:04}\n" for n in range(1000)))
    told = site.get(f"{LOG}/more?try=1&before=500").json()
    assert (told["start"], told["end"]) == (0, 500)
    assert "line 0049" in told["html"]
    assert "line 0050" not in told["html"]
    told = site.get(f"{LOG}/more?try=1&from=500").json()
    assert (told["from"], told["start"], told["end"], told["size"]) == (500, 500, 10_000, 10_000)
    assert site.get(f"{LOG}/more?try=1&from=505").json()["html"].count('class="line"') == 950
    assert site.get(f"{LOG}/more?try=1&from=x").status_code == 400


def test_the_file_is_sent_as_it_is_and_in_ranges(site: Site) -> None:
    site.log("\x1b[31mred\x1b[0m\n")
    address = f"{LOG}/text"
    assert site.get(address).content == b"\x1b[31mred\x1b[0m\n"
    assert site.get(address, Range="bytes=5-7").content == b"red"
    assert "attachment" in site.get(f"{address}?download=1").headers["content-disposition"]


# ---- growing --------------------------------------------------------------------------------------------------------


def running(site: Site) -> TaskInstance:
    """A run whose extract is at work."""
    run = a_run(1, state=RunState.RUNNING, ended_at=None)
    ti = a_ti(run, "extract", state=TaskState.RUNNING, ended_at=None, token="t")
    site.store(run, ti)
    return ti


def test_a_page_of_a_log_that_grows_knows_where_to_go_on(site: Site) -> None:
    ti = running(site)
    path = site.log("one\nhal", run_id=ti.run_id)
    text = site.text(f"/dags/etl/runs/{ti.run_id}/tasks/extract/log")
    assert "log=1&amp;task=extract" in text
    assert 'data-end="4"' in text
    address = re.search(r'data-more="([^"]+)"', text)
    assert address is not None
    path.write_text("one\nhalf\nthr")
    told: dict[str, Any] = site.get(f"{address[1].replace('&amp;', '&')}&from=4&after_level=error").json()
    assert (told["from"], told["end"], told["level"]) == (4, 9, "error")
    assert 'class="line error" id="b4"' in told["html"]
    assert "thr" not in told["html"]


# ---- merged ---------------------------------------------------------------------------------------------------------


def tried(site: Site, task_id: str, number: int) -> None:
    """A try of the run that is over."""
    key = TaskKey("etl", RUN, task_id)
    row = SaveTry(key=key, try_number=number, token=task_id, started_at=DAY0, state=TaskState.SUCCESS)
    site.ask(site.server.store.commit, [row])


def test_the_logs_of_a_run_are_merged_by_time(site: Site) -> None:
    for task_id, number in (("extract", 1), ("load", 2)):
        tried(site, task_id, number)
    site.log(line("first", 1) + line("third", 3, "ERROR"))
    site.log(line("second", 2) + "  of load\n", "load", 2)
    text = site.text(f"{RUN_PATH}/log")
    places = [text.index(word) for word in ("first", "second", "of load", "third")]
    assert places == sorted(places)
    assert "second" not in site.text(f"{RUN_PATH}/log?level=error")
    text = site.text(f"{RUN_PATH}/log?q=SECOND")
    assert "<mark>second</mark>" in text
    assert "third" not in text
    assert "No line matches." in site.text(f"{RUN_PATH}/log?q=nothing")


def test_a_run_with_many_tries_has_pages_of_its_log(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "_MERGED", 1)
    for task_id in ("extract", "load"):
        tried(site, task_id, 1)
        site.log(line(f"of {task_id}"), task_id)
    assert 'href="?page=2" rel="prev"' in site.text(f"{RUN_PATH}/log")
    text = site.text(f"{RUN_PATH}/log?page=2")
    assert "of load" in text
    assert "of extract" not in text
    assert 'href="?page=1" rel="next"' in text


def test_the_log_of_a_run_that_goes_on_says_what_it_has(site: Site) -> None:
    run = site.ask(site.server.actions.trigger_dag, "etl", conf={})
    path = f"/dags/etl/runs/{quote(run['run_id'], safe='')}/log"
    text = site.text(f"{path}?level=error&q=room")
    since = re.findall(r'data-since="([0-9a-f]+-0)" data-live="1"', text)
    assert f"lines={since[0]}&amp;level=error&amp;find=room" in text
    assert "data-live" not in site.text(f"{path}?page=2")
    assert "data-live" not in site.text(f"{RUN_PATH}/log")


def test_what_stands_above_a_log_comes_alone_when_it_has_changed(site: Site) -> None:
    text = site.text(f"{LOAD}/log/head?try=2")
    assert 'aria-current="true"' in text
    have = re.search(r"have=(\w+)", text)
    assert have is not None
    assert site.get(f"{LOAD}/log/head?try=2&have={have[1]}").status_code == 204
