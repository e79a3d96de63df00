"""The live stream."""

from __future__ import annotations

import random
import re
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from asyncflow.core.models import TaskKey
from asyncflow.engine.changes import Changes
from asyncflow.web import events
from asyncflow.web.events import PACE, Live, Tab, topics_of
from asyncflow.web.log_feed import LogFeeds, Shown
from asyncflow.web.run_feed import RunLogFeeds, ShownRun

pytestmark = pytest.mark.anyio


#: of a server on which no log is shown
FEEDS = LogFeeds(lambda key, number: Path(), lambda key, number: False)
RUN_FEEDS = RunLogFeeds(lambda key, number: Path(), lambda dag_id, run_id: [])


class Listener:
    """Reads a stream; `told` are the topics that have come, in order."""

    def __init__(self, live: Live, since: str = "", log: Shown | None = None, **params: str) -> None:
        self.tab = Tab(topics=topics_of(params), log=log)
        self._stream = live.stream(self.tab, since)
        self.told: list[str] = []
        self.last_id = ""

    async def next(self) -> str:
        """The next part of the stream."""
        with anyio.fail_after(3):
            text = await anext(self._stream)
        self.told += re.findall(r"^event: (.+)$", text, re.MULTILINE)
        self.last_id = (re.findall(r"^id: (.+)$", text, re.MULTILINE) or [self.last_id])[-1]
        return text

    async def silent(self) -> bool:
        """Whether nothing comes for a while."""
        with anyio.move_on_after(0.15) as scope:
            await self._stream.__anext__()
        return scope.cancelled_caught

    async def close(self) -> None:
        await self._stream.aclose()  # type: ignore[attr-defined]


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def live(changes: Changes) -> Live:
    return Live(changes, lambda: True, FEEDS, RUN_FEEDS)


async def test_a_tab_hears_of_what_it_shows(live: Live, changes: Changes) -> None:
    tab = Listener(live, str(changes.mark), dag="etl", run="r1")
    await tab.next()
    changes.noted("other")
    changes._note(changes.mark, frozenset({("etl", "r1")}))
    await tab.next()
    await tab.next()
    assert tab.told == ["dag", "run"]
    assert await tab.silent()


@pytest.mark.parametrize(
    ("params", "name", "told"),
    [
        ({"dags": "1"}, ("etl", "r"), {"dags"}),
        ({"dags": "1"}, ("", ""), {"dags"}),
        ({"runs": "1"}, ("etl", "r"), {"runs"}),
        ({"runs": "1"}, ("etl", ""), set()),
        ({"dag": "etl"}, ("etl", "r"), {"dag"}),
        ({"dag": "etl"}, ("etl2", "r"), set()),
        ({"dag": "etl", "run": "r"}, ("etl", ""), {"dag", "run"}),
        ({"dag": "etl", "run": "r"}, ("etl", "s"), {"dag"}),
        ({"run": "r"}, ("etl", "r"), set()),
        ({"datasets": "1"}, ("", ""), {"datasets"}),
        ({"datasets": "1"}, ("etl", "scheduled__1"), set()),
        ({"datasets": "1"}, ("etl", "dataset_triggered__1"), {"datasets"}),
        ({"pools": "1"}, ("etl", "r"), {"pools"}),
        ({"pools": "1", "variables": "1", "connections": "1", "dags": "1"}, (" pools", ""), {"pools"}),
        ({"pools": "1", "variables": "1", "connections": "1", "dags": "1"}, (" variables", ""), {"variables"}),
        ({"pools": "1", "variables": "1", "connections": "1", "dags": "1"}, (" connections", ""), {"connections"}),
    ],
)
def test_topics(params: dict[str, str], name: tuple[str, str], told: set[str]) -> None:
    assert {topic for topic, about in topics_of(params).items() if about(frozenset({name}))} == told


async def test_what_happened_while_the_page_was_made_is_told(live: Live, changes: Changes) -> None:
    mark = str(changes.mark)
    changes.noted("etl")
    tab = Listener(live, mark, dag="etl")
    await tab.next()
    await tab.next()
    assert tab.told == ["dag"]


async def test_a_tab_that_comes_back_hears_only_what_it_missed(live: Live, changes: Changes) -> None:
    first = Listener(live, str(changes.mark), dag="etl", dags="1")
    await first.next()
    changes.noted("etl")
    await first.next()
    await first.next()
    await first.close()
    again = Listener(live, first.last_id, dag="etl", dags="1")
    await again.next()
    assert await again.silent()


async def test_a_tab_that_is_cut_off_between_two_events_hears_the_second_when_it_comes_back(
    live: Live, changes: Changes
) -> None:
    first = Listener(live, str(changes.mark), dag="etl", run="r")
    await first.next()
    changes._note(changes.mark._replace(seq=1), frozenset({("etl", "r")}))
    await first.next()
    assert first.told == ["dag"]
    await first.close()
    again = Listener(live, first.last_id, dag="etl", run="r")
    await again.next()
    await again.next()
    await again.next()
    assert "run" in again.told


async def test_a_tab_that_is_cut_off_while_it_waits_for_its_turn_loses_nothing(live: Live, changes: Changes) -> None:
    tab = Listener(live, "", dag="etl")
    assert "id:" not in await tab.next(), "it has not been told yet"
    assert "id:" in await tab.next()


async def test_after_a_restart_everything_counts_as_changed(live: Live) -> None:
    tab = Listener(live, str(Changes().mark), dag="etl", dags="1")
    await tab.next()
    await tab.next()
    await tab.next()
    assert sorted(tab.told) == ["dag", "dags"]


async def test_many_changes_are_one_event(live: Live, changes: Changes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACE, "dag", 60.0)  # no machine is so slow that the next one is due in this test
    tab = Listener(live, str(changes.mark), dag="etl")
    await tab.next()
    for _ in range(2):  # after a rest, two at once
        for _ in range(1000):
            changes.noted("etl")
        await tab.next()
    for _ in range(1000):
        changes.noted("etl")
    assert await tab.silent(), "the next comes when the pace allows"
    assert len(tab.tab.pending) <= 1


async def test_lines_of_a_log_come_through_the_stream(changes: Changes, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    live = Live(changes, lambda: True, LogFeeds(lambda key, number: log, lambda key, number: True), RUN_FEEDS)
    tab = Listener(live, str(changes.mark), log=Shown(TaskKey("etl", "r", "t"), 1))
    await tab.next()
    assert await tab.next() == "event: log\ndata: \n\n", "it may have missed some"
    assert await tab.silent()


async def test_a_line_of_a_log_comes_soon(changes: Changes, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    live = Live(changes, lambda: True, LogFeeds(lambda key, number: log, lambda key, number: True), RUN_FEEDS)
    tab = Listener(live, str(changes.mark), log=Shown(TaskKey("etl", "r", "t"), 1))
    await tab.next()
    await tab.next()
    log.write_text("line\n")
    assert '"from": 0, "start": 0, "end": 5' in await tab.next()
    assert tab.told == ["log", "log"]
    await tab.close()


async def test_lines_of_a_run_come_through_the_stream(changes: Changes, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\n")
    feeds = RunLogFeeds(lambda key, number: log, lambda dag_id, run_id: [(TaskKey(dag_id, run_id, "t"), 1)])
    live = Live(changes, lambda: True, FEEDS, feeds)
    known = await feeds.snapshot("etl", "r")
    assert known.ends == {(TaskKey("etl", "r", "t"), 1): 7}
    tab = Listener(live, str(changes.mark), log=ShownRun("etl", "r", known.since))
    await tab.next()
    with log.open("a") as file:
        file.write("after\n")
    text = await tab.next()
    assert "event: log" in text
    assert '>after\\n</div>"' in text
    assert 'href=\\"/dags/etl/runs/r/tasks/t/log\\">t</a>' in text
    await tab.close()
    late = Listener(live, str(changes.mark), log=ShownRun("etl", "r", "other-1"))
    await late.next()
    assert await late.next() == "event: log\ndata: \n\n", "it asks for what it has not"
    await late.close()


async def test_a_silent_stream_gives_signs_of_life(
    live: Live, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.02)
    tab = Listener(live, str(changes.mark), dag="etl")
    await tab.next()
    assert await tab.next() == "event: beat\n\n", "an event: the page's script does not hear of comments"


async def test_trouble_and_its_end_are_told(changes: Changes) -> None:
    well = False
    live = Live(changes, lambda: well, FEEDS, RUN_FEEDS)
    tab = Listener(live, str(changes.mark), dag="etl")
    await tab.next()
    assert "data: bad" in await tab.next()
    well = True
    changes.noted("etl")
    assert "event: dag" in await tab.next()
    assert "data: good" in await tab.next()


async def test_a_stream_that_ends_is_forgotten(live: Live, changes: Changes) -> None:
    tab = Listener(live, "", dags="1")
    await tab.next()
    assert live.open_tabs == 1
    await tab.close()
    assert live.open_tabs == 0
    changes.noted("etl")


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were many tabs."""
    monkeypatch.setattr(events, "FEW", 0)


@pytest.mark.usefixtures("crowded")
async def test_tabs_that_show_the_same_are_told_of_the_same_moment(live: Live, changes: Changes) -> None:
    tabs = [Listener(live, str(changes.mark), dag="etl") for _ in range(3)]
    for tab in tabs:
        await tab.next()
    changes.noted("etl")
    marks = []
    for tab in tabs:
        text = await tab.next()
        changes.noted("other")
        marks.append(text.partition("data: dag ")[2].strip())
    assert len(set(marks)) == 1
    assert marks[0] == tabs[0].last_id


@pytest.mark.usefixtures("crowded")
async def test_what_comes_after_the_moment_is_told_in_the_next(live: Live, changes: Changes) -> None:
    start = str(changes.mark)
    first, second = Listener(live, start, dag="etl"), Listener(live, start, dag="etl")
    for tab in (first, second):
        await tab.next()
    changes.noted("etl")
    early = await first.next()
    changes.noted("etl")
    await second.next()
    assert second.last_id == start, "it has not been told of the second change"
    late = await second.next()
    assert f"data: dag {second.last_id}" in late
    assert late != early


async def test_however_often_it_is_cut_no_change_is_missed(
    live: Live, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream is cut after any of its parts; whoever comes back hears of all they had not heard of."""
    for topic in ("dag", "runs"):
        monkeypatch.setitem(PACE, topic, 0.001)
        live.budget.spent(topic, 0.0)
    chance, last_id = random.Random(1), str(changes.mark)
    untold: set[str] = set()
    for turn in range(300):
        tab = Listener(live, last_id, dag="etl", runs="1")
        tab.last_id = last_id
        for _ in range(chance.randrange(4)):
            changed = chance.choice(["dag", "runs"])
            untold.add(changed)
            changes._note(
                changes.mark._replace(seq=changes.mark.seq + 1),
                frozenset({("etl", "") if changed == "dag" else ("other", f"r{turn}")}),
            )
            if chance.random() < 0.7:
                await tab.next()
                untold -= set(tab.told)
                tab.told.clear()
        last_id = tab.last_id
        await tab.close()
    tab = Listener(live, last_id, dag="etl", runs="1")
    for _ in range(1 + len(untold)):
        await tab.next()
    assert untold <= set(tab.told)
