"""The Gantt page over a real store, and its drawing."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import pytest

from asyncflow.core.commands import SaveTask
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.states import RunState, TaskState
from asyncflow.store.grid import TryBar
from asyncflow.web import gantt_view
from asyncflow.web.forecast import Span
from tests.web.dag_home import DagHome, a_run, a_ti, a_try

SECOND = timedelta(seconds=1)
RUN = a_run(0)
START = RUN.run_after


def _try(ti: TaskInstance, number: int, waited: float, ran: float | None, *, after: float = 0) -> TryBar:
    queued = START + after * SECOND
    started = queued + waited * SECOND
    return TryBar(
        task_id=ti.task_id,
        map_index=ti.map_index,
        try_number=number,
        state=TaskState.RUNNING if ran is None else ti.state,
        queued_at=queued,
        started_at=started,
        ended_at=None if ran is None else started + ran * SECOND,
    )


def _gantt(tis: list[TaskInstance], tries: list[TryBar], run: DagRun = RUN, now: float = 0) -> gantt_view.Gantt:
    found = gantt_view.gantt(run, tis, tries, {"a": 0, "b": 1}, START + now * SECOND)
    assert found is not None
    return found


def test_a_try_waits_and_then_runs() -> None:
    ti = a_ti(RUN, "a")
    (row,) = _gantt([ti], [_try(ti, 1, 2, 8)]).rows
    waited, ran = row.bars
    assert (waited.x, waited.width, waited.state) == (0, gantt_view.WIDTH * 0.2, "queued")
    assert (ran.x, ran.width, ran.state) == (gantt_view.WIDTH * 0.2, gantt_view.WIDTH * 0.8, "success")
    assert (row.waited, row.ran) == ("2.00 s", "8.00 s")


def test_waiting_for_a_slot_is_told_from_waiting_for_a_process() -> None:
    ti = a_ti(RUN, "a", scheduled_at=START - 5 * SECOND)
    (row,) = _gantt([ti], [_try(ti, 1, 2, 3)]).rows
    assert [bar.state for bar in row.bars] == ["scheduled", "queued", "success"]
    assert row.waited == "7.00 s"
    assert "waited for a slot · 5.00 s" in row.bars[0].title


def test_every_try_is_on_the_line_of_its_instance() -> None:
    ti = a_ti(RUN, "a")
    (row,) = _gantt([ti], [_try(ti, 1, 0, 1), _try(ti, 2, 1, 1, after=5)]).rows
    assert [bar.title.split(" ")[1] for bar in row.bars] == ["1", "2", "2"]


def test_instances_come_in_the_order_in_which_they_began() -> None:
    a, b = a_ti(RUN, "a"), a_ti(RUN, "b")
    rows = _gantt([a, b], [_try(b, 1, 0, 1), _try(a, 1, 0, 1, after=1)]).rows
    assert [row.name for row in rows] == ["b", "a"]


def test_what_runs_now_reaches_up_to_now() -> None:
    run = a_run(0, state=RunState.RUNNING, ended_at=None)
    ti = a_ti(run, "a")
    found = _gantt([ti], [_try(ti, 1, 0, None)], run, now=60)
    assert found.end == START + 66 * SECOND  # a tenth is left for what goes on
    assert found.now_x == pytest.approx(900 / 1.1, abs=0.1)
    assert found.rows[0].open_end


def test_before_anything_was_queued_there_is_nothing_to_draw() -> None:
    assert gantt_view.gantt(RUN, [], [], {}, START) is None


@pytest.mark.parametrize("seconds", [0.2, 7, 61, 3601, 90_000, 700_000, 40_000_000])
def test_the_axis_has_a_few_round_moments(seconds: float) -> None:
    ti = a_ti(RUN, "a")
    ticks = _gantt([ti], [_try(ti, 1, 0, seconds)]).ticks
    assert 1 <= len(ticks) <= 10
    assert all(0 <= x <= gantt_view.WIDTH for x, _ in ticks)


@pytest.mark.anyio
async def test_the_page_shows_the_newest_run_and_offers_others(home: DagHome) -> None:
    first, second = a_run(0), a_run(1)
    ti = a_ti(first, "load.orders", map_index=3, rendered_map_index="Seoul & co", try_number=2)
    await home.add(first, ti)
    await home.store.commit([a_try(ti, 1, state=TaskState.FAILED)])
    await home.add(second, a_ti(second, "start"))
    assert re.findall(r'<th scope="row" title="([^"]*)"', await home.page("/dags/etl/gantt")) == ["start"]
    text = await home.page(f"/dags/etl/gantt?run={quote(first.run_id)}")
    assert "load.orders[Seoul &amp; co]" in text
    assert "/tasks/load.orders?try=1&amp;map_index=3" in text
    assert 'class="ran state-failed"' in text


@pytest.mark.anyio
async def test_the_drawing_grows_while_a_task_runs(home: DagHome) -> None:
    assert "No runs yet." in await home.page("/dags/etl/gantt")
    run = a_run(0, state=RunState.RUNNING, ended_at=None)
    await home.add(run)
    assert "Nothing of this run was queued yet." in await home.page("/dags/etl/gantt")
    ti = a_ti(run, "start", state=TaskState.RUNNING, ended_at=None, token="t")
    await home.store.commit([SaveTask(ti=ti), a_try(ti, 1)])
    text = await home.page("/dags/etl/gantt")
    address = text.split('id="dag-gantt" hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert (await home.get(address)).status_code == 200


def test_what_is_expected_follows_what_runs_and_what_has_not_begun() -> None:
    run = a_run(0, state=RunState.RUNNING, ended_at=None)
    ti = a_ti(run, "a")
    coming = {
        "a": Span(START, START + 100 * SECOND, predicted=True),
        "b": Span(START + 100 * SECOND, START + 120 * SECOND, predicted=True),
        "done": Span(START, START + 10 * SECOND, predicted=False),
    }
    found = gantt_view.gantt(run, [ti], [_try(ti, 1, 0, None)], {}, START + 60 * SECOND, coming)
    assert found is not None
    assert found.end == START + 120 * SECOND
    running, later = found.rows
    assert [(bar.kind, bar.x, bar.width, bar.live) for bar in running.bars] == [
        ("ran", 0.0, 450.0, True),
        ("rest", 450.0, 300.0, False),
    ]
    assert later.name == "b"
    assert [(bar.kind, bar.x, bar.width) for bar in later.bars] == [("rest", 750.0, 150.0)]
    assert "expected · 20.0 s" in later.bars[0].title


def test_nothing_is_expected_of_a_run_that_is_over() -> None:
    run = a_run(0)
    ti = a_ti(run, "a")
    coming = {"b": Span(START, START + 20 * SECOND, predicted=True)}
    found = gantt_view.gantt(run, [ti], [_try(ti, 1, 0, 10)], {}, START + 60 * SECOND, coming)
    assert found is not None
    assert ([row.name for row in found.rows], found.now_x) == (["a"], None)


@pytest.mark.parametrize(("line", "first", "names"), [(0, 0, ["a0", "a1"]), (3, 2, ["a2", "b0"]), (99, 4, ["b1"])])
def test_a_page_has_so_many_rows_of_what_began_and_then_of_what_is_expected(
    line: int, first: int, names: list[str]
) -> None:
    run = a_run(0, state=RunState.RUNNING, ended_at=None)
    tis = [a_ti(run, f"a{n}") for n in range(3)]
    tries = [_try(ti, 1, 0, None, after=place) for place, ti in enumerate(tis)]
    coming = {f"b{n}": Span(START + n * SECOND, START + 9 * SECOND, predicted=True) for n in range(2)}
    found = gantt_view.gantt(run, tis, tries, {}, START + 5 * SECOND, coming, page=(line, 2))
    assert found is not None
    assert (found.first, found.count, [row.name for row in found.rows]) == (first, 5, names)
