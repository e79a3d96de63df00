"""Logs in a real browser: as they are written, of any size, whatever bytes are in them; and answers of people."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.server import SOON, ServeProcess, until
from tests.browser.scan import scan

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DAGS = """
import os, sys, time
from datetime import datetime
from asyncflow import DAG, Param, task
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator

with DAG("talker", start_date=datetime(2026, 1, 1), schedule=None):

    @task
    def speak(dag_run=None):
        folder = dag_run.conf["folder"]
        while True:  # each file in the folder is said once, as the test puts it there
            for name in sorted(os.listdir(folder)):
                if name == "end":
                    return
                if name.startswith("."):  # is being written
                    continue
                with open(f"{folder}/{name}", "rb") as file:
                    data = file.read()
                os.unlink(f"{folder}/{name}")
                sys.stdout.flush()
                os.write(1, data)
            time.sleep(0.01)

    speak()

with DAG("quiet", start_date=datetime(2026, 1, 1), schedule=None):

    @task
    def hush():
        pass

    hush()

with DAG("many", start_date=datetime(2026, 1, 1), schedule=None):

    @task
    def copy(n, ti=None):
        ti.xcom_push("text", "<script>alert(1)</script>" * 900)
        if n == 2:
            raise ValueError("<b>two</b>")
        return {"n": [n]}

    copy.expand(n=[0, 1, 2])

with DAG("asker", start_date=datetime(2026, 1, 1), schedule=None):
    ApprovalOperator(task_id="approve", subject="Load <b>all</b> of it?", body="There are 7 files.")
    HITLOperator(
        task_id="choose",
        subject="Which?",
        options=["left", "right"],
        multiple=True,
        params={"n": Param(3, type="integer")},
    )
"""


class Talk:
    """A task that writes to its log what it is given."""

    def __init__(self, server: ServeProcess, folder: Path) -> None:
        self.folder = folder
        server.call("unpause_dag", dag_id="talker")
        self.run_id = server.call("trigger_dag", dag_id="talker", conf={"folder": str(folder)})["run_id"]
        self.address = f"/dags/talker/runs/{quote(self.run_id, safe='')}/tasks/speak/log"
        self._said = 0

    def say(self, text: str | bytes) -> None:
        self._said += 1
        (self.folder / f".{self._said}").write_bytes(text if isinstance(text, bytes) else text.encode())
        (self.folder / f".{self._said}").rename(self.folder / f"{self._said:06}")

    def end(self) -> None:
        (self.folder / "end").write_text("")


@pytest.fixture(scope="module", autouse=True)
def dags(server: ServeProcess) -> None:
    """The DAGs of these tests."""
    server.write("logs.py", DAGS)
    for dag_id in ("talker", "quiet", "many", "asker"):
        server.wait_for_dag(dag_id)


@pytest.fixture
def talk(server: ServeProcess, tmp_path: Path) -> Iterator[Talk]:
    folder = tmp_path / "talk"
    folder.mkdir()
    talk = Talk(server, folder)
    yield talk
    talk.end()
    server.wait_for_run("talker", talk.run_id)


def line(text: str, level: str = "INFO") -> str:
    return f"[2026-01-02T00:00:00.000+0000] {{task.py:1}} {level} - {text}\n"


def at_end(log: Locator) -> bool:
    return bool(log.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight < 40"))


def test_the_log_of_a_run_goes_on_while_its_tasks_write(tab: Page, talk: Talk) -> None:
    talk.say(line("early"))
    tab.goto(talk.address.partition("/tasks/")[0] + "/log")
    box = tab.locator("#log")
    expect(box.get_by_text("- early")).to_be_visible()
    talk.say("".join(line(f"late {n}") for n in range(100)))
    expect(box.get_by_text("- late 99")).to_be_in_viewport()
    expect(box.locator(".from")).to_have_text(["speak"])
    box.evaluate("box => { box.scrollTop = 0; }")
    expect(tab.locator("#following")).to_be_visible()
    talk.say(line("later", "ERROR"))
    expect(box.locator(".error")).to_have_count(1)
    assert box.evaluate("box => box.scrollTop") == 0
    tab.get_by_role("button", name="End").click()
    expect(box.get_by_text("- later")).to_be_in_viewport()
    expect(tab.locator("#following")).to_be_hidden()


def test_it_follows_until_somebody_scrolls_up(tab: Page, talk: Talk) -> None:
    talk.say("".join(f"early {n}\n" for n in range(200)))
    tab.goto(talk.address)
    log = tab.locator("#log")
    expect(log).to_contain_text("early 199")
    until(lambda: at_end(log), "it shows its end")
    talk.say("more\n")
    expect(log).to_contain_text("more")
    until(lambda: at_end(log), "it follows")
    log.evaluate("box => { box.scrollTop = 0; }")
    expect(tab.locator("#following")).to_be_visible()
    talk.say("still more\n")
    expect(log).to_contain_text("still more")
    assert not at_end(log)
    tab.keyboard.press("G")
    expect(tab.locator("#following")).to_be_hidden()
    until(lambda: at_end(log), "it follows again")


def test_lines_come_soon_whole_and_once(tab: Page, talk: Talk) -> None:
    """G5: within 250 ms; a busy machine is given more."""
    tab.goto(talk.address)
    log = tab.locator("#log")
    talk.say("first\nhal")
    expect(log).to_contain_text("first")
    expect(log.locator(".line").filter(has_text="hal")).to_have_count(0)
    before = time.perf_counter()
    talk.say("f a line\n")
    expect(log.locator(".line").filter(has_text=re.compile("^half a line"))).to_have_count(1)
    assert time.perf_counter() - before < SOON
    tab.reload()
    talk.say("unfinished")

    def shown() -> bool:
        tab.goto(talk.address)
        return "unfinished" in log.inner_text()

    until(shown, "the page shows what there is")
    talk.say(" no more\n")
    expect(log.locator(".line").filter(has_text="unfinished")).to_have_text([re.compile("unfinished no more")])
    assert log.inner_text().count("first") == 1


def test_folds_and_levels_go_on_while_it_is_written(tab: Page, talk: Talk) -> None:
    talk.say("::group::Setup\ninside one\n")
    tab.goto(talk.address)
    log = tab.locator("#log")
    expect(log.locator("details.fold summary")).to_have_text("Setup")
    talk.say("inside two\n::group::Deeper\ninside three\n")
    expect(log.locator("details details .line")).to_have_text([re.compile("inside three")])
    talk.say("::endgroup::\ninside four\n::endgroup::\noutside\n" + line("no", "ERROR") + "Traceback\n")
    expect(log.locator("> .line").filter(has_text="outside")).to_be_visible()
    expect(log.locator("> details > .line").filter(has_text="inside four")).to_have_count(1)
    expect(log.locator(".line.error").filter(has_text="Traceback")).to_be_visible()
    tab.keyboard.press("e")
    expect(log.locator(".line").filter(has_text="inside three")).to_be_visible()
    tab.keyboard.press("e")
    expect(log.locator(".line").filter(has_text="inside one")).to_be_hidden()


def test_a_level_goes_on_while_it_is_written(tab: Page, talk: Talk) -> None:
    talk.say(line("calm") + line("careful", "WARNING"))
    tab.goto(talk.address)
    expect(tab.locator("#log")).to_contain_text("careful")
    tab.get_by_label("Level").select_option("warning")
    expect(tab).to_have_url(re.compile("level=warning"))
    expect(tab.locator("#log .line")).to_have_count(1)
    talk.say(line("still calm") + line("worse", "ERROR") + "because\n")
    expect(tab.locator("#log .line")).to_have_text([re.compile("careful"), re.compile("worse"), re.compile("because")])


def test_no_bytes_do_harm(tab: Page, talk: Talk) -> None:
    hostile = (
        b"<script>alert(1)</script><img src=x onerror=alert(2)>\x00\xff\xfe\x1b[31;1mred\x1b[0m \xe2\x80\xaeexe\r\n"
    )
    talk.say(hostile)
    tab.goto(talk.address)
    log = tab.locator("#log")
    expect(log).to_contain_text("<script>alert(1)</script>")
    talk.say(hostile + b"::group::<svg onload=alert(3)>\n" + b"z" * 200_000 + b"\nafter\n")
    expect(log).to_contain_text("after")
    assert log.locator("script, img, svg").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
    expect(log.locator(".a31").first).to_have_text("red")


def test_after_its_end_nothing_is_asked_any_more(tab: Page, talk: Talk, server: ServeProcess) -> None:
    talk.say("words\n")
    tab.goto(talk.address)
    expect(tab.locator("#log")).to_contain_text("words")
    talk.end()
    expect(tab.locator("#task-head .badge")).to_have_text("success")
    tab.wait_for_timeout(500)
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.wait_for_timeout(2000)
    assert asked == []


# ---- large files ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(server: ServeProcess, dags: None) -> str:
    """The address of a log of 30 MB."""
    run = server.run_to_end("quiet")
    read = server.call("read_log", dag_id="quiet", run_id=run["run_id"], task_id="hush")
    body = "".join(line(f"row {n:07}") for n in range(400_000))
    middle = len(body) // 2
    path = Path(read["path"])
    path.write_text(
        line("the very first") + body[:middle] + "a needle\n" + body[middle:] + line("bad", "ERROR") + "Tr\n"
    )
    return f"/dags/quiet/runs/{quote(run['run_id'], safe='')}/tasks/hush/log"


def test_a_large_log_is_read_on_at_both_ends(tab: Page, large: str) -> None:
    tab.goto(large)
    log = tab.locator("#log")
    expect(log).to_contain_text("bad")
    until(lambda: at_end(log), "it shows its end")
    shown = log.locator(".line").count()
    log.evaluate("box => { box.scrollTop = 0; }")
    until(lambda: log.locator(".line").count() > shown, "earlier lines came")
    assert log.evaluate("box => box.scrollTop") > 200, "what was seen stays where it was"
    tab.goto(f"{large}?at=0")
    expect(log).to_contain_text("the very first")
    shown = log.locator(".line").count()
    log.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    until(lambda: log.locator(".line").count() > shown, "later lines came")
    numbers = [int(n) for n in re.findall(r"row (\d+)", log.inner_text())]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "none is missing, none comes twice"
    tab.keyboard.press("G")
    expect(log).to_contain_text("bad")


def test_a_large_log_is_searched_and_its_lines_are_linked(tab: Page, large: str) -> None:
    tab.goto(large)
    tab.keyboard.press("/")
    tab.keyboard.type("NEEDLE")
    tab.keyboard.press("Enter")
    mark = tab.locator("#log mark")
    expect(mark).to_have_text("needle")
    expect(mark).to_be_in_viewport()
    expect(tab).to_have_url(re.compile(r"hit=\d+#b\d+$"))
    tab.locator("#content h1").click()
    tab.keyboard.press("n")
    expect(tab.get_by_text("Not found.")).to_be_visible()
    tab.go_back()
    tab.keyboard.press("l")
    expect(tab).to_have_url(re.compile(r"at=\d+#b\d+$"))
    tab.reload()
    expect(tab.locator("#log .chosen")).to_contain_text("a needle")
    expect(tab.locator("#log .chosen")).to_be_in_viewport()


def test_wrap_times_and_full_screen(tab: Page, large: str) -> None:
    tab.goto(large)
    log = tab.locator("#log")
    times = log.locator("time").last
    expect(times).to_be_visible()
    tab.keyboard.press("t")
    expect(times).to_be_hidden()
    tab.keyboard.press("w")
    expect(log).to_have_css("white-space", "pre")
    tab.keyboard.press("f")
    assert log.evaluate("box => box.getBoundingClientRect().height === innerHeight")
    tab.keyboard.press("Escape")
    assert log.evaluate("box => box.getBoundingClientRect().height < innerHeight")


def test_a_level_a_place_and_a_search_without_scripts(plain: Page, large: str) -> None:
    plain.goto(large)
    plain.get_by_label("Level").select_option("error")
    plain.get_by_role("button", name="Show").click()
    expect(plain.locator("#log .line")).to_have_count(2)
    plain.locator("#log .line a").first.evaluate("() => 0")
    plain.goto(large)
    plain.get_by_role("link", name="Beginning").click()
    expect(plain.locator("#log")).to_contain_text("the very first")
    plain.get_by_role("link", name="Later ↓").click()
    expect(plain.locator("#log .line").first).to_be_attached()
    plain.get_by_label("Search", exact=True).fill("needle")
    plain.get_by_role("button", name="Find").click()
    expect(plain.locator("#log mark")).to_be_in_viewport()


# ---- copies of a mapped task ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mapped(server: ServeProcess, dags: None) -> str:
    """The address of a mapped task, one copy of which has failed."""
    run = server.run_to_end("many")
    return f"/dags/many/runs/{quote(run['run_id'], safe='')}/tasks/copy"


def test_the_copies_of_a_mapped_task_are_sorted_chosen_and_cleared(
    tab: Page, mapped: str, server: ServeProcess
) -> None:
    tab.goto(mapped)
    expect(tab).to_have_url(re.compile("/tasks/copy/copies$"))
    expect(tab.locator("#copies tbody tr")).to_have_count(3)
    tab.get_by_role("link", name="Duration").click()
    expect(tab.locator("#copies th[aria-sort]")).to_contain_text("Duration")
    tab.get_by_role("link", name="1 failed").click()
    expect(tab.locator("#copies tbody tr")).to_have_count(1)
    tab.get_by_label("Select copy[2]").check()
    tab.locator("#pick").get_by_role("button", name="Clear").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("copy[2]")
    dialog.get_by_role("button", name="Clear").click()
    expect(tab.get_by_role("status").filter(has_text="was cleared")).to_be_visible()
    run_id = server.call("list_runs", dag_id="many")[0]["run_id"]
    server.wait_for_run("many", run_id)


ADDRESSES = (
    *("{mapped}/copies", "{mapped}?map_index=2", "{mapped}/log?map_index=2", "{mapped}/events?map_index=2"),
    *("{large}?at=0", "{large}?level=error", "{asker}/approve", "{asker}/choose/answer", "/answers"),
)


def test_no_page_breaks(chromium: Browser, server: ServeProcess, mapped: str, large: str, axe: str) -> None:
    run_id = server.call("trigger_dag", dag_id="asker")["run_id"]
    server.call("unpause_dag", dag_id="asker")
    until(lambda: len([row for row in server.call("list_questions") if row["run_id"] == run_id]) == 2, "both ask")
    asker = f"/dags/asker/runs/{quote(run_id, safe='')}/tasks"
    addresses = [it.format(mapped=mapped, large=large, asker=asker) for it in ADDRESSES]
    wrong = scan(chromium, server.address, addresses, axe)
    server.call("mark_run", dag_id="asker", run_id=run_id, state="failed")
    assert not wrong, "\n".join(wrong)


# ---- answers --------------------------------------------------------------------------------------------------------


def ask(server: ServeProcess) -> str:
    server.call("unpause_dag", dag_id="asker")
    run_id = str(server.call("trigger_dag", dag_id="asker")["run_id"])
    until(lambda: len([row for row in server.call("list_questions") if row["run_id"] == run_id]) == 2, "both ask")
    return run_id


def test_a_question_is_answered_in_place(tab: Page, server: ServeProcess) -> None:
    run_id = ask(server)
    tab.goto(f"/dags/asker/runs/{quote(run_id, safe='')}")
    expect(tab.locator("#run-instances .badge").filter(has_text="awaiting input")).to_have_count(2)
    tab.get_by_role("link", name="approve", exact=True).click()
    expect(tab.locator(".ask")).to_contain_text("Load <b>all</b> of it?")
    tab.keyboard.press("A")
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("There are 7 files.")
    dialog.get_by_role("button", name="Approve").click()
    expect(tab.locator("#task-details .badge").first).to_have_text("success")
    expect(tab.locator(".ask")).to_have_count(0)
    server.call("mark_run", dag_id="asker", run_id=run_id, state="failed")


def test_a_question_is_answered_without_scripts(plain: Page, server: ServeProcess) -> None:
    run_id = ask(server)
    plain.goto("/answers")
    plain.get_by_role("link", name="Which?").first.click()
    plain.get_by_label("n", exact=True).fill("5")
    plain.get_by_role("button", name="Send the answer").click()
    expect(plain.get_by_role("alert")).to_have_text("Choose one of left, right.")
    expect(plain.get_by_label("n", exact=True)).to_have_value("5")
    plain.get_by_label("right").check()
    plain.get_by_role("button", name="Send the answer").click()
    expect(plain).to_have_url(re.compile("/tasks/choose$"))
    done = until(
        lambda: (
            {row["task_id"]: row["state"] for row in server.call("get_run", dag_id="asker", run_id=run_id)["tasks"]}[
                "choose"
            ]
            == "success"
        ),
        "the task has gone on",
    )
    assert done
    plain.reload()
    expect(plain.get_by_text('"right"').first).to_be_visible()
    server.call("mark_run", dag_id="asker", run_id=run_id, state="failed")
