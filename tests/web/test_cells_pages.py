"""Clear and mark for cells of the grid."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from starlette.datastructures import FormData

from asyncflow.core.specs import TaskGroupSpec, TaskSpec
from asyncflow.core.states import TaskState
from asyncflow.errors import InvalidInput
from asyncflow.web.cells_pages import MOST, CellsWish
from tests.web.conftest import RUN, Site, a_run, a_ti, once_in, token_in
from tests.web.dag_home import a_spec

SECOND = a_run(1).run_id


@pytest.fixture
def two(site: Site) -> Site:
    """Two runs of `etl`, in both of which `load` failed."""
    run = a_run(1)
    site.store(run, a_ti(run, "extract"), a_ti(run, "load", state=TaskState.FAILED, try_number=2, max_tries=1))
    return site


def cells(*names: str) -> str:
    return "&".join(f"ti={quote(name)}" for name in names)


def confirm(site: Site, address: str, picks: list[str], **more: str) -> httpx.Response:
    page = site.get(address)
    assert page.status_code == 200, page.text
    data = {"form_token": token_in(page), "once": once_in(page), "ti": picks, **more}
    return site.post(address.partition("?")[0], data)


def test_a_preview_lists_what_is_touched_in_which_run(two: Site) -> None:
    text = two.text(f"/dags/etl/cells/clear?{cells(f'load@{RUN}', f'load@{SECOND}')}")
    assert "This touches 2 task instances. They are in 2 runs." in text
    assert f"load ({SECOND})" in text
    assert "This touches 4 task instances." in two.text(
        f"/dags/etl/cells/clear?{cells(f'load@{RUN}', f'load@{SECOND}')}&upstream=1"
    )


def test_cells_are_cleared_and_can_be_undone(two: Site) -> None:
    picks = [f"load@{RUN}", f"load@{SECOND}"]
    answer = confirm(two, f"/dags/etl/cells/clear?{cells(*picks)}", picks, back="/dags/etl/grid?runs=25")
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert where.startswith("/dags/etl/grid?runs=25&done=cleared&n=2&undo=")
    assert [two.states(run)["load"] for run in (RUN, SECOND)] != ["failed", "failed"]
    page = two.get(where)
    assert "2 task instances were cleared." in page.text
    assert "undo=" not in page.text.partition('<table class="grid"')[2]
    undo = {"form_token": token_in(page), "name": where.partition("undo=")[2], "back": "/dags/etl/grid?runs=25"}
    answer = two.post("/undo", undo)
    assert answer.headers["location"].startswith("/dags/etl/grid?runs=25&done=undone")
    assert [two.states(run)["load"] for run in (RUN, SECOND)] == ["failed", "failed"]


def test_cells_are_marked_once_however_often_the_form_is_sent(two: Site) -> None:
    picks = [f"load@{RUN}", f"load@{SECOND}"]
    page = two.get(f"/dags/etl/cells/mark?state=success&{cells(*picks)}")
    data = {"form_token": token_in(page), "once": once_in(page), "ti": picks, "state": "success"}
    first, again = (two.post("/dags/etl/cells/mark", data) for _ in range(2))
    assert first.headers["location"] == again.headers["location"]
    assert [two.states(run)["load"] for run in (RUN, SECOND)] == ["success", "success"]


def test_a_run_that_is_gone_is_told_and_the_rest_is_done(two: Site) -> None:
    picks = [f"load@{RUN}", "load@gone"]
    address = f"/dags/etl/cells/mark?state=success&{cells(*picks)}"
    assert "gone" in two.text(address)
    answer = confirm(two, address, picks, state="success")
    assert answer.status_code == 409
    assert "gone" in answer.text
    assert two.states()["load"] == "success"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("clear", "No task instance is selected"),
        ("clear?ti=load", "task@run"),
        ("mark?ti=load@r&state=blue", "accepted are"),
    ],
)
def test_nonsense_in_the_address_is_answered_with_a_sentence(site: Site, address: str, sentence: str) -> None:
    answer = site.get(f"/dags/etl/cells/{address}")
    assert answer.status_code == 400
    assert sentence in answer.text


def test_only_so_many_cells_at_once() -> None:
    with pytest.raises(InvalidInput, match="at most 500"):
        CellsWish("etl", FormData([("ti", f"t{n}@r") for n in range(MOST + 1)]), "clear")


def test_a_group_stands_for_its_tasks_and_a_task_counts_once() -> None:
    tasks = {name: TaskSpec(task_id=name, group_id="g") for name in ("g.a", "g.b")}
    spec = a_spec(tasks=tasks, groups={"g": TaskGroupSpec(group_id="g")})
    wish = CellsWish("etl", FormData([("ti", "g@r1"), ("ti", "g.a@r1"), ("ti", "g.b@r2")]), "clear")
    assert wish.by_run(spec) == {"r1": ["g.a", "g.b"], "r2": ["g.b"]}


def test_the_page_works_alone_and_as_a_dialog(two: Site) -> None:
    address = f"/dags/etl/cells/clear?{cells(f'load@{RUN}')}"
    assert "<html" in two.text(address)
    assert "<html" not in two.get(address, **{"HX-Request": "true"}).text


def test_a_run_leads_to_the_same_again_and_its_instances_to_their_lines(site: Site) -> None:
    run = a_run(2, conf={"day": "<2>"})
    site.store(run, a_ti(run, "extract"))
    path = f"/dags/etl/runs/{quote(run.run_id, safe='')}"
    text = site.text(path)
    assert 'href="/dags/etl/trigger?conf=%7B%22day%22%3A%20%22' in text
    assert f'href="/dags/etl/graph?run={quote(run.run_id, safe="")}"' in text
    again = text.partition("/dags/etl/trigger?conf=")[2].partition('"')[0]
    assert "&lt;2&gt;" in site.text(f"/dags/etl/trigger?conf={again}")
    assert 'href="/dags/etl/code?version=v1&amp;task=extract"' in site.text(f"{path}/tasks/extract")
