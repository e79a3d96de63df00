"""The grid page over a real store."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from asyncflow.core.commands import Journal, SaveTask
from asyncflow.core.models import DagRun
from asyncflow.core.specs import TaskSpec
from asyncflow.core.states import RunState, RunType, TaskState
from tests.web.dag_home import DAY, DAY0, DagHome, a_run, a_spec, a_ti

pytestmark = pytest.mark.anyio


async def _three_days(home: DagHome) -> list[DagRun]:
    runs = [a_run(day) for day in range(3)]
    for run in runs:
        await home.add(
            run, a_ti(run, "start"), a_ti(run, "load.users"), a_ti(run, "end", state=TaskState.FAILED, try_number=2)
        )
    return runs


def _cells(text: str, name: str) -> list[str]:
    """What the cells in the row of a task say, "" for empty ones."""
    row = re.search(rf'<tr[^>]*><th scope="row"[^>]*>(?:<[^>]*>)?{name}<.*?</tr>', text, re.DOTALL)
    assert row is not None, f"no row {name}"
    return [(re.findall(r'title="([^"]*)"', cell) or [""])[0] for cell in row[0].split("<td>")[1:]]


async def test_a_dag_without_runs_says_so(home: DagHome) -> None:
    assert "No runs yet." in await home.page("/dags/etl/grid")


async def test_each_task_instance_is_a_link_with_state_try_and_duration(home: DagHome) -> None:
    run = (await _three_days(home))[-1]
    text = await home.page("/dags/etl/grid")
    assert f'href="/dags/etl/runs/{quote(run.run_id, safe="")}/tasks/end" title="failed · try 2 · 2.00 s"' in text
    assert _cells(text, "start")[:3] == ["success · 2.00 s"] * 3


async def test_a_closed_group_shows_its_gravest_state_and_counts(home: DagHome) -> None:
    run = a_run(0)
    orders = [
        a_ti(run, "load.orders", map_index=n, state=s) for n, s in enumerate((TaskState.FAILED, TaskState.SUCCESS))
    ]
    await home.add(run, a_ti(run, "load.users"), *orders)
    text = await home.page("/dags/etl/grid?open=-")
    assert _cells(text, "load")[0] == "1 failed, 2 success"
    assert 'class="c state-failed"' in text
    assert "load.users" not in text


async def test_an_open_group_shows_what_its_tasks_came_to(home: DagHome) -> None:
    run = a_run(0)
    await home.add(run, a_ti(run, "load.users", state=TaskState.FAILED), a_ti(run, "load.orders"))
    text = await home.page("/dags/etl/grid")
    assert _cells(text, "load")[0] == "1 failed, 1 success"
    assert _cells(text, "users")[0].startswith("failed")


async def test_copies_of_a_mapped_task_share_a_cell(home: DagHome) -> None:
    run = a_run(0)
    await home.add(run, *(a_ti(run, "load.orders", map_index=n) for n in range(3)))
    text = await home.page("/dags/etl/grid")
    assert _cells(text, r"orders \[ \]")[0] == "3 success"
    assert "?task_id=load.orders" in text


async def test_planned_runs_follow_the_newest_and_only_there(home: DagHome) -> None:
    await _three_days(home)
    assert (await home.page("/dags/etl/grid")).count("planned for") == 10  # five, each as a title and as a text
    assert "planned for" not in await home.page("/dags/etl/grid?until=2026-01-03")


async def test_older_runs_are_one_link_away(home: DagHome) -> None:
    runs = await _three_days(home)
    text = await home.page("/dags/etl/grid?runs=2")
    assert runs[0].run_id not in text.replace("%3A", ":").replace("%2B", "+")
    older = re.search(r'href="(\?[^"]*)"[^>]*>← older', text)
    assert older is not None
    page = await home.page("/dags/etl/grid" + older[1].replace("&amp;", "&"))
    assert quote(runs[0].run_id, safe="") in page
    assert quote(runs[2].run_id, safe="") not in page


async def test_runs_are_filtered_by_state_and_type(home: DagHome) -> None:
    await _three_days(home)
    await home.add(a_run(8, state=RunState.FAILED, run_type=RunType.MANUAL, run_id="by_hand"))
    text = await home.page("/dags/etl/grid?state=failed&type=manual")
    assert text.count('class="bar-box"') == 1
    assert "/runs/by_hand" in text
    assert "No runs match." in await home.page("/dags/etl/grid?type=backfill")


async def test_a_new_version_is_marked_and_tasks_that_left_stay(home: DagHome) -> None:
    run = a_run(0)
    await home.add(run, a_ti(run, "end"))
    await home.save(a_spec(tasks={"start": TaskSpec(task_id="start")}, groups={}), "v2", at=DAY0 + DAY)
    second = a_run(1, version="v2")
    await home.add(second, a_ti(second, "start"))
    text = await home.page("/dags/etl/grid")
    assert 'title="version 2 of the DAG from here"' in text
    assert _cells(text, "end")[0] == "success · 2.00 s"
    assert "not in the newest version" in text


async def test_only_a_window_of_tasks_is_shown(home: DagHome) -> None:
    tasks = {f"t{n:03}": TaskSpec(task_id=f"t{n:03}") for n in range(120)}
    await home.save(a_spec(tasks=tasks, groups={}), "v2", at=DAY0 + DAY)
    text = await home.page("/dags/etl/grid?line=100")
    assert "lines 101 to 120 of 120" in text
    assert "t100" in text
    assert "t099" not in text
    assert "lines 101 to 120 of 120" in await home.page("/dags/etl/grid?line=5000")


async def test_the_grid_is_not_sent_again_while_nothing_changes(home: DagHome) -> None:
    await _three_days(home)
    await home.add(a_run(5, state=RunState.RUNNING, ended_at=None))
    text = await home.page("/dags/etl/grid")
    address = text.split('id="dag-grid" hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert (await home.get(address)).status_code == 204
    await home.add(a_run(6, state=RunState.RUNNING, ended_at=None))
    answer = await home.get(address)
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<div id="dag-grid"')


async def test_a_change_is_seen_after_its_line_in_the_journal(home: DagHome) -> None:
    run = a_run(0, state=RunState.RUNNING, ended_at=None)
    ti = a_ti(run, "start", state=TaskState.NONE, try_number=0, started_at=None, ended_at=None)
    await home.add(run, ti)
    assert _cells(await home.page("/dags/etl/grid"), "start")[0] == "no status"
    done = a_ti(run, "start", state=TaskState.SKIPPED, started_at=None)
    line = Journal(at=DAY0, event="task.skipped", dag_id="etl", run_id=run.run_id, task_id="start")
    await home.store.commit([SaveTask(ti=done, expected=TaskState.NONE), line])
    assert _cells(await home.page("/dags/etl/grid"), "start")[0] == "skipped"


async def test_bars_show_how_long_runs_took(home: DagHome) -> None:
    for day, seconds in ((0, 10), (1, 100)):
        run = a_run(day)
        run.ended_at = run.run_after + timedelta(seconds=seconds)
        await home.add(run)
    text = await home.page("/dags/etl/grid")
    assert re.findall(r'class="bar (h\d+) state-success"', text) == ["h5", "h50"]
    assert "1 min 40 s" in text


async def test_runs_are_filtered_by_who_started_them(home: DagHome) -> None:
    await home.add(a_run(0))
    await home.add(a_run(1, run_type=RunType.MANUAL, run_id="mine", triggered_by="cli:ann"))
    await home.add(a_run(2, run_type=RunType.MANUAL, run_id="other", triggered_by="client"))
    text = await home.page("/dags/etl/grid?by=cli")
    assert re.findall(r'class="bar-box" href="[^"]*/runs/(\w+)"', text) == ["mine"]


async def test_many_runs_are_shown_with_fewer_tasks(home: DagHome) -> None:
    tasks = {f"t{n:03}": TaskSpec(task_id=f"t{n:03}") for n in range(120)}
    await home.save(a_spec(tasks=tasks, groups={}), "v2", at=DAY0 + DAY)
    assert "lines 1 to 50 of 120" in await home.page("/dags/etl/grid?runs=100")
    text = await home.page("/dags/etl/grid?runs=365")
    assert "lines 1 to 15 of 120" in text
    assert "<option selected>365</option>" in text


async def test_the_grid_shows_the_states_of_a_past_minute(home: DagHome) -> None:
    made = DAY0 + DAY
    for day in (0, 1):
        run = a_run(day)
        await home.add(run, a_ti(run, "start"), journal=False)
        names: dict[str, Any] = {"dag_id": "etl", "run_id": run.run_id}
        start, end = run.run_after, run.run_after + timedelta(minutes=10)
        await home.store.commit(
            [
                Journal(at=start, event="run.created", after="queued", **names),
                Journal(at=start + timedelta(minutes=1), event="run.running", after="running", **names),
                Journal(
                    at=start + timedelta(minutes=2), event="task.running", after="running", task_id="start", **names
                ),
                Journal(at=end, event="task.success", after="success", task_id="start", **names),
                Journal(at=end, event="run.success", after="success", **names),
            ]
        )
    text = await home.page(f"/dags/etl/grid?at={made + timedelta(minutes=5):%Y-%m-%dT%H:%M}")
    assert "As it was at 2026-01-02 00:05 UTC" in text
    assert text.count('class="bar-box"') == 1
    assert "state-running" in text.split('class="bar-box"')[1].split("</a>")[0]
    assert _cells(text, "start")[0] == "running · 3 min"
    assert "planned for" not in text
    assert _cells(await home.page("/dags/etl/grid?at=2026-01-03T12:00"), "start")[:2] == ["success · 2.00 s"] * 2
    assert "No runs match." in await home.page("/dags/etl/grid?at=2026-01-01T12:00")


async def test_a_past_minute_is_shown_with_the_tasks_of_its_version(home: DagHome) -> None:
    await home.add(a_run(0))
    await home.save(a_spec(tasks={"new": TaskSpec(task_id="new")}, groups={}), "v2", at=DAY0 + 5 * DAY)
    assert 'data-id="new"' not in await home.page("/dags/etl/grid?at=2026-01-04T00:00")
    assert 'data-id="new"' in await home.page("/dags/etl/grid?at=2026-01-07T00:00")


async def test_a_minute_that_is_still_to_come_is_refused(home: DagHome) -> None:
    answer = await home.get("/dags/etl/grid?at=2999-01-01T00:00")
    assert answer.status_code == 400
    assert "still to come" in answer.text


async def test_only_the_tasks_around_one_are_shown(home: DagHome) -> None:
    await _three_days(home)
    assert 'href="/dags/etl/tasks/load.users"' in await home.page("/dags/etl/grid?runs=25")
    assert 'href="/dags/etl/grid?root=load.users"' in await home.page("/dags/etl/tasks/load.users")
    text = await home.page("/dags/etl/grid?runs=25&root=load.users&around=downstream")
    assert re.findall(r'<tr data-id="([^"]*)"', text) == ["load", "load.users", "end"]
    assert 'href="?runs=25">all tasks' in text
    graph = await home.page("/dags/etl/graph?root=load.users&around=upstream")
    assert re.findall(r'class="node[^"]*" href="[^"]*" data-id="([^"]*)"', graph) == ["load", "start", "load.users"]


async def test_cells_can_be_ticked(home: DagHome) -> None:
    run = (await _three_days(home))[0]
    text = await home.page("/dags/etl/grid?select=1&open=-")
    assert f'value="start@{run.run_id}"' in text
    assert f'value="load@{run.run_id}"' in text
    assert "disabled>Clear" not in text


async def test_the_legend_links_to_states_that_stand_out(home: DagHome) -> None:
    await _three_days(home)
    text = await home.page("/dags/etl/grid?lit=failed")
    assert 'class="lights lit-failed"' in text
    assert 'href="?lit=queued"' in text
    assert 'href="?" data-light="failed"' in text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("runs=many", "whole number"),
        ("until=soon", "is not a date"),
        ("state=blue", "accepted are"),
        ("line=x", "whole"),
        ("by=me", "accepted are"),
        ("root=lode", "no such task"),
        ("root=end&around=here", "accepted are"),
        ("lit=blue", "accepted are"),
    ],
)
async def test_nonsense_in_the_address_is_answered_with_a_sentence(home: DagHome, query: str, sentence: str) -> None:
    answer = await home.get(f"/dags/etl/grid?{query}")
    assert answer.status_code == 400
    assert sentence in answer.text


async def test_an_unknown_dag_is_not_found(home: DagHome) -> None:
    answer = await home.get("/dags/elt/grid")
    assert answer.status_code == 404
    assert "etl" in answer.text
