"""Many task instances or runs at once: listed first, then changed, as it was listed."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from asyncflow.core.specs import ExpandSpec, LiteralInput, TaskSpec
from asyncflow.core.states import RunState, TaskState
from asyncflow.web import browse_view, bulk_view
from asyncflow.web.i18n import ENGLISH
from asyncflow.web.picked import Choice, Picked
from tests.web.conftest import RUN, RUN_PATH, Site, a_dag, a_run, a_ti, once_in, token_in

LOAD = browse_view.task_key("etl", RUN, "load", -1)
RUN_KEY = browse_view.run_key("etl", RUN)


def ask(site: Site, path: str, **params: Any) -> httpx.Response:
    """The form of an action."""
    answer = site.get(f"{path}?{httpx.QueryParams(params)}", referer=f"{site.base_url}/{path.split('/')[1]}?dag=etl")
    assert answer.status_code == 200, answer.text
    return answer


def confirm(site: Site, form: httpx.Response, **changed: str) -> httpx.Response:
    """Send it."""
    part = form.text.split('method="post"')[-1]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', part))
    action = re.findall(r'action="(/\w+/change)"', form.text)[-1]
    data = {name: text.replace("&amp;", "&") for name, text in fields.items()}
    return site.post(action, {**data, **changed})


def test_what_is_selected_is_listed_then_cleared_and_can_be_undone(site: Site) -> None:
    form = ask(site, "/tasks/change", do="clear", key=LOAD)
    assert "This touches 1 task instance. They are in 1 run." in form.text
    assert f"<li>load (etl, {RUN})</li>" in form.text
    assert site.states()["load"] == "failed"
    answer = confirm(site, form)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/tasks?dag=etl&done=cleared&n=1&undo=")
    assert site.states()["load"] == "none"
    page = site.text(answer.headers["location"])
    assert "1 task instance was cleared." in page
    name = re.findall(r'name="name" value="([^"]+)"', page)[0]
    site.send("/undo", {"name": name, "back": "/tasks?dag=etl"})
    assert site.states()["load"] == "failed"


def test_a_form_that_is_sent_twice_acts_once(site: Site) -> None:
    form = ask(site, "/tasks/change", do="success", key=LOAD)
    first = confirm(site, form)
    site.ask(site.server.actions.mark_tasks, "etl", RUN, "load", "failed")
    assert confirm(site, form).headers["location"] == first.headers["location"]
    assert site.states()["load"] == "failed"


@pytest.mark.parametrize(("verb", "state"), [("success", "success"), ("failed", "failed"), ("skipped", "skipped")])
def test_task_instances_are_marked(site: Site, verb: str, state: str) -> None:
    keys = [LOAD, browse_view.task_key("etl", RUN, "extract", -1)]
    form = site.get(f"/tasks/change?{httpx.QueryParams({'do': verb, 'key': keys})}")
    confirm(site, form)
    assert site.states() == {"extract": state, "load": state}


def test_clearing_reaches_downstream_when_asked(site: Site) -> None:
    extract = browse_view.task_key("etl", RUN, "extract", -1)
    form = ask(site, "/tasks/change", do="clear", key=extract)
    assert "This touches 1 task instance." in form.text
    wider = site.get(f"/tasks/change?do=clear&picked={once_in(form)}&downstream=1&back=/tasks")
    assert "This touches 2 task instances." in wider.text
    confirm(site, wider)
    assert site.states() == {"extract": "none", "load": "none"}


def test_all_that_match_are_changed_as_they_were_listed(site: Site) -> None:
    form = ask(site, "/tasks/change", do="success", all="1", state="failed", dag="etl")
    run = a_run(1)
    site.store(run, a_ti(run, "load", state=TaskState.FAILED))  # fails after the list was shown
    confirm(site, form)
    assert site.states()["load"] == "success"
    assert site.states(run.run_id)["load"] == "failed"


def test_only_what_is_at_work_is_cancelled(site: Site) -> None:
    run = a_run(1, state=RunState.RUNNING, ended_at=None)
    site.store(run, a_ti(run, "extract"), a_ti(run, "load", state=TaskState.RUNNING, token="t", ended_at=None))
    form = ask(site, "/tasks/change", do="cancel", all="1", dag_id="etl")
    assert "This touches 1 task instance." in form.text
    assert confirm(site, form).headers["location"].startswith("/tasks?dag=etl&done=ended&n=1")
    assert site.states(run.run_id) == {"extract": "success", "load": "failed"}


def test_copies_of_a_mapped_task_are_changed_by_their_index(empty: Site) -> None:
    expand = ExpandSpec(inputs={"x": LiteralInput(length=3)})
    empty.add(a_dag(tasks={"load": TaskSpec(task_id="load", is_mapped=True, expand=expand)}))
    run = a_run()
    copies = [a_ti(run, "load", map_index=index, state=TaskState.FAILED) for index in range(3)]
    empty.store(run, *copies)
    keys = [browse_view.task_key("etl", RUN, "load", index) for index in (0, 2)]
    form = empty.get(f"/tasks/change?{httpx.QueryParams({'do': 'success', 'key': keys})}")
    assert "load[2] (etl," in form.text
    confirm(empty, form)
    assert [row["state"] for row in empty.run()["tasks"]] == ["success", "failed", "success"]


def test_runs_are_cleared_marked_and_deleted(site: Site) -> None:
    other = a_run(1, state=RunState.FAILED)
    site.store(other, a_ti(other, "load", state=TaskState.FAILED))
    confirm(site, ask(site, "/runs/change", do="success", key=browse_view.key_of(other)))
    assert site.run(other.run_id)["state"] == "success"
    form = ask(site, "/runs/change", do="clear", key=RUN_KEY)
    assert "This touches 2 task instances." in form.text
    failed = site.get(f"/runs/change?do=clear&picked={once_in(form)}&only_failed=1")
    assert "This touches 1 task instance." in failed.text
    confirm(site, failed)
    assert site.run()["state"] == "queued"
    form = ask(site, "/runs/change", do="delete", all="1", dag_id="etl")
    assert "2 runs with all their task instances, tries and XComs are deleted." in form.text
    assert "It can be undone" not in form.text
    assert confirm(site, form).headers["location"] == "/runs?dag=etl&done=runs_deleted&n=2"
    assert site.ask(site.server.actions.list_runs, "etl") == []
    assert "2 runs were deleted." in site.text("/runs?done=runs_deleted&n=2")


def test_a_running_run_is_not_deleted_and_the_others_are(site: Site) -> None:
    running = a_run(1, state=RunState.RUNNING, ended_at=None)
    site.store(running, a_ti(running, "load", state=TaskState.RUNNING, token="t", ended_at=None))
    form = ask(site, "/runs/change", do="delete", all="1", dag_id="etl")
    assert "1 run with all its task instances" in form.text
    assert "is running, so it cannot be deleted" in form.text
    answer = confirm(site, form)
    assert answer.status_code == 409
    assert "Done: 1." in answer.text
    assert "is running, so it cannot be deleted; mark it failed first." in answer.text
    assert [row["run_id"] for row in site.ask(site.server.actions.list_runs, "etl")] == [running.run_id]
    site.ask(site.server.actions.change_runs, "cancel", [["etl", running.run_id]])
    assert site.run(running.run_id)["state"] == "failed"
    site.ask(site.server.actions.delete_run, "etl", running.run_id)
    assert site.get(f"/dags/etl/runs/{running.run_id}").status_code == 404


def test_cancelling_leaves_finished_runs_alone(site: Site) -> None:
    assert "This touches 0 task instances." in ask(site, "/runs/change", do="cancel", key=RUN_KEY).text


def test_what_is_gone_is_left_alone(site: Site) -> None:
    form = ask(site, "/tasks/change", do="clear", key=LOAD)
    site.ask(site.server.actions.delete_run, "etl", RUN)
    assert confirm(site, form).headers["location"].startswith("/tasks?dag=etl&done=cleared&n=0")
    assert "has no run &#39;gone&#39; any more" in ask(site, "/runs/change", do="clear", key="etl gone").text


def test_a_dag_that_left_the_folder_is_named_once(site: Site) -> None:
    site.add(a_dag("old"))
    for day in range(2):
        run = a_run(day, "old")
        site.store(run, a_ti(run, "load"))
    site.ask(site.server.scheduler.do, lambda world, now: world.remove_dag("old", now))
    text = ask(site, "/tasks/change", do="clear", all="1", dag_id="old").text
    assert text.count("old") >= 1
    assert "This touches 0 task instances." in text
    assert len(re.findall("<li>", text.partition("Left alone")[2].partition("</ul>")[0])) == 1


def test_all_task_instances_of_a_run_are_reached_from_its_page(site: Site) -> None:
    answer = site.get(f"{RUN_PATH}/mark?state=success&all=1&of_state=failed&of_task=lo")
    assert answer.status_code == 303
    form = site.get(answer.headers["location"])
    assert "This touches 1 task instance." in form.text
    assert confirm(site, form).headers["location"].startswith(f"{RUN_PATH}?done=marked&n=1&undo=")
    assert site.get(f"{RUN_PATH}/clear?all=1").headers["location"].startswith("/tasks/change?do=clear&all=1&dag_id=etl")


def test_what_runs_is_cancelled_from_the_page_of_its_run(site: Site) -> None:
    run = a_run(1, state=RunState.RUNNING, ended_at=None)
    site.store(run, a_ti(run, "extract"), a_ti(run, "load", state=TaskState.RUNNING, token="t", ended_at=None))
    path = f"/dags/etl/runs/{quote(run.run_id, safe='')}"
    assert 'value="cancel"' in site.text(path)
    assert 'value="cancel"' not in site.text(RUN_PATH)
    answer = site.get(f"{path}/mark?state=cancel&ti=-1:load&ti=-1:extract")
    form = site.get(answer.headers["location"])
    assert "Cancel what runs: 2 task instances" in form.text
    assert "This touches 1 task instance." in form.text
    confirm(site, form)
    assert site.states(run.run_id) == {"extract": "success", "load": "failed"}


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/tasks/change", 400, "do= is missing"),
        ("/tasks/change?do=delete", 400, "accepted are clear, success, failed, skipped, cancel"),
        ("/tasks/change?do=clear&key=x", 400, "names no task instance"),
        ("/tasks/change?do=clear&key=a+b+c+d", 400, "names no task instance"),
        ("/runs/change?do=clear&key=x", 400, "names no run"),
        ("/tasks/change?do=clear&picked=x", 400, "not known any more"),
        ("/tasks/change?do=clear", 200, "Nothing is selected"),
        ("/runs/change?do=clear&all=1&dag_id=nope", 200, "Nothing is selected"),
    ],
)
def test_a_wrong_address_gets_a_sentence(site: Site, path: str, status: int, sentence: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, sentence in answer.text) == (status, True), answer.text


def test_a_preview_that_was_forgotten_says_so(site: Site) -> None:
    form = ask(site, "/tasks/change", do="clear", key=LOAD)
    site.app.state.picked = Picked()
    answer = confirm(site, form)
    assert answer.status_code == 400
    assert "select it again" in answer.text
    assert site.states()["load"] == "failed"


def test_a_form_leads_nowhere_else(site: Site) -> None:
    form = ask(site, "/tasks/change", do="clear", key=LOAD)
    token = token_in(form)
    assert confirm(site, form, back="//evil.example/x", form_token=token).headers["location"].startswith("/?done=")
    other = site.get(f"/tasks/change?{httpx.QueryParams({'do': 'clear', 'key': LOAD, 'back': 'https://evil.example'})}")
    assert 'href="/tasks" data-close' in other.text


def test_forms_need_their_token(site: Site) -> None:
    form = ask(site, "/tasks/change", do="clear", key=LOAD)
    assert confirm(site, form, form_token="wrong").status_code == 403


def test_what_is_too_much_to_be_undone_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "It can be undone for 10 minutes." in ask(site, "/tasks/change", do="clear", key=LOAD).text
    monkeypatch.setattr("asyncflow.engine.amends._MOST", 1)
    form = ask(site, "/tasks/change", do="clear", key=LOAD)
    assert "This is too much to be undone." in form.text
    assert "undo=" not in confirm(site, form).headers["location"]


# ---- pure parts


def test_old_choices_make_room() -> None:
    picked = Picked()
    many = Choice([("d", str(n)) for n in range(30_000)])
    picked.keep("a", many)
    picked.keep("b", many)
    assert (picked.get("a"), picked.get("b")) == (None, many)
    huge = Choice([("d", str(n)) for n in range(60_000)], complete=False)
    picked.keep("c", huge)
    assert (picked.get("b"), picked.get("c")) == (None, huge)


def test_a_preview_lists_the_first_twenty() -> None:
    tasks = [["d", f"r{n % 3}", "t", n] for n in range(30)]
    shown = bulk_view.preview("clear", {"tasks": tasks, "runs": [], "refused": [f"No {n}." for n in range(25)]})
    assert (shown.count, shown.runs, len(shown.listed), shown.more_refused) == (30, 3, 20, 5)
    assert shown.listed[0] == "t[0] (d, r0)"


def test_names_come_back_from_fields() -> None:
    assert browse_view.task_of(browse_view.task_key("d", "manual 1 <x>", "t", 3)) == ("d", "manual 1 <x>", "t", 3)
    assert browse_view.run_of(browse_view.run_key("d", "manual 1 <x>")) == ("d", "manual 1 <x>")


# ---- undo -----------------------------------------------------------------------------------------------------------


def undo_of(site: Site, answer: httpx.Response) -> httpx.Response:
    """Press the button that undoes what was just done."""
    name = re.findall(r'name="name" value="([^"]+)"', site.text(answer.headers["location"]))[0]
    return site.send("/undo", {"name": name, "back": "/runs"})


def test_a_thousand_instances_of_many_runs_are_put_back(empty: Site) -> None:
    empty.add(wide := a_dag("etl", tasks={f"t{n:02}": TaskSpec(task_id=f"t{n:02}") for n in range(25)}))
    before = {}
    for day in range(40):
        run = a_run(day, state=RunState.FAILED if day % 2 else RunState.SUCCESS)
        states = [TaskState.FAILED if n == day % 25 and day % 2 else TaskState.SUCCESS for n in range(25)]
        empty.store(run, *(a_ti(run, name, state=state) for name, state in zip(wide.tasks, states, strict=True)))
        before[run.run_id] = empty.run(run.run_id)
    form = ask(empty, "/runs/change", do="clear", all="1", dag_id="etl")
    assert "This touches 1,000 task instances." in form.text
    cleared = confirm(empty, form)
    assert "1,000 task instances were cleared." in empty.text(cleared.headers["location"])
    assert set(empty.states().values()) == {"none"}
    undone = undo_of(empty, cleared)
    assert undone.headers["location"] == "/runs?done=undone&n=1000"
    assert {run_id: empty.run(run_id) for run_id in before} == before


def test_what_an_undo_left_alone_is_told_one_by_one(site: Site) -> None:
    other = a_run(1, state=RunState.FAILED)
    site.store(other, *(a_ti(other, name, state=TaskState.FAILED) for name in ("extract", "load")))
    cleared = confirm(site, ask(site, "/runs/change", do="clear", all="1", dag_id="etl"))
    site.ask(site.server.actions.mark_run, "etl", other.run_id, "success")
    site.ask(site.server.actions.delete_run, "etl", other.run_id)
    undone = undo_of(site, cleared)
    assert undone.headers["location"].startswith("/undone?name=")
    page = site.text(undone.headers["location"])
    assert "2 task instances are what they were." in page
    assert "The runs of 2 were deleted." in page
    assert f">load (etl, {other.run_id})</a>" in page
    assert '<a href="/runs">Back</a>' in page
    assert site.get("/undone?name=other").status_code == 409


def test_a_task_that_came_with_a_newer_version_is_gone_after_undo(site: Site) -> None:
    more = {"late": TaskSpec(task_id="late", operator="BashOperator")}
    site.add(a_dag("etl", tasks={**a_dag().tasks, **more}), version="v2")
    before = site.run()
    cleared = confirm(site, ask(site, "/tasks/change", do="clear", key=LOAD))
    assert site.states()["late"] == "none"
    assert undo_of(site, cleared).headers["location"] == "/runs?done=undone&n=1"
    assert site.run() == before


def test_reasons_in_words() -> None:
    rows = [["d", "r", "t", n, "tried"] for n in range(502)] + [["d", "r", "u", -1, "was_at_work"]]
    rows += [["d", "r", "v", -1, "made"], ["d", "r", "w", -1, "made"]]
    tried, worked, made = bulk_view.left_alone(rows, ENGLISH)
    assert (tried.said, len(tried.listed), tried.more) == ("502 have been started since.", 500, 2)
    assert tried.listed[1] == ("t[1] (d, r)", "/dags/d/runs/r/tasks/t?map_index=1")
    assert worked.said == "1 was at work then: its process is gone."
    assert made.said == "2 were added since, and their run goes on."
