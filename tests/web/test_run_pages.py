"""The pages of runs and task instances, and what people do there."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest

from asyncflow.core.commands import SaveTry, SaveXComs
from asyncflow.core.models import TaskKey
from asyncflow.core.specs import ExpandSpec, LiteralInput, MarkerSpec, ParamSpec, TaskSpec
from asyncflow.core.states import RunState, TaskState
from asyncflow.web import address
from tests.web.conftest import DAY0, RUN, RUN_PATH, Site, a_dag, a_run, a_ti, once_in, token_in

LOAD = f"{RUN_PATH}/tasks/load"


def confirm(site: Site, path: str, **fields: Any) -> Any:
    """Look at a dialog, then send its form."""
    page = site.get(path)
    assert page.status_code == 200, page.text
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text.split('method="post"')[-1])
    data: dict[str, Any] = {}
    for name, value in hidden:
        data.setdefault(name, []).append(value)
    return site.post(path.partition("?")[0], {**data, **fields})


# ---- run ----------------------------------------------------------------------------


def test_a_run_shows_its_three_times_and_what_failed_first(site: Site) -> None:
    text = site.text(RUN_PATH)
    assert '2026-01-01 00:00:00<span class="zone"> UTC</span></time>&nbsp;– <time' in text
    assert text.index('id="ti--1:load"') < text.index('id="ti--1:extract"')
    assert "1 failed" in text
    assert "2/2" in text


def test_instances_are_chosen_by_state_and_name(site: Site) -> None:
    assert 'id="ti--1:extract"' not in site.text(f"{RUN_PATH}?state=failed")
    assert 'id="ti--1:load"' not in site.text(f"{RUN_PATH}?task=extr")
    assert "No task instance matches." in site.text(f"{RUN_PATH}?task=none")


def test_a_run_links_the_runs_beside_it(site: Site) -> None:
    site.store(a_run(1))
    assert 'data-key="]"' in site.text(RUN_PATH)
    assert 'data-key="["' in site.text("/dags/etl/runs/scheduled__2026-01-02T00%3A00%3A00%2B00%3A00")


def test_conf_and_params_are_shown(empty: Site) -> None:
    empty.add(a_dag(params={"n": ParamSpec(value=1), "m": ParamSpec(value="x")}))
    empty.store(a_run(conf={"n": 2}))
    text = empty.text(RUN_PATH)
    assert "<dt>n *</dt><dd><code>2</code>" in text
    assert "<dt>m</dt><dd><code>&#34;x&#34;</code>" in text


def test_what_waits_says_why(site: Site) -> None:
    run = site.ask(site.server.actions.trigger_dag, "report", run_id="mine", triggered_by="cli")
    text = site.text(f"/dags/report/runs/{run['run_id']}")
    assert "The DAG &#39;report&#39; is paused." in text
    assert "The DAG &#39;report&#39; is paused." in site.text("/dags/report/runs/mine/tasks/load")


def test_events_of_a_run_are_listed(site: Site) -> None:
    site.ask(site.server.actions.mark_tasks, "etl", RUN, "load", "success")
    text = site.text(f"{RUN_PATH}/journal")
    assert "run.created" in text
    assert "task.success" in text
    seq = re.findall(r'id="line-(\d+)"', text)[-1]
    assert "Nothing more." in site.text(f"{RUN_PATH}/journal?after={seq}")


def test_a_run_id_may_have_a_slash(empty: Site) -> None:
    empty.add(a_dag())
    run = a_run(run_id="manual/1 <x>")
    empty.store(run, a_ti(run, "load"))
    assert "manual/1 &lt;x&gt;" in empty.text("/dags/etl/runs/manual%2F1%20%3Cx%3E")
    assert "load" in empty.text("/dags/etl/runs/manual%2F1%20%3Cx%3E/tasks/load/log")


# ---- task instance ------------------------------------------------------------------


def test_tries_are_compared(site: Site) -> None:
    key = TaskKey("etl", RUN, "load")
    tried = {"key": key, "started_at": DAY0, "ended_at": DAY0 + timedelta(seconds=3)}
    site.ask(
        site.server.store.commit,
        [
            SaveTry(
                try_number=1, token="a", state=TaskState.UP_FOR_RETRY, exit_code=1, cpu_seconds=1.5,
                peak_rss_kb=51200, error="ValueError: <no>", **tried
            ),
            SaveTry(try_number=2, token="b", state=TaskState.FAILED, signal=9, reason="out of memory", **tried),
            SaveXComs(key=key, values={"return_value": '"<rows>"'}),
        ],
    )  # fmt: skip
    text = site.text(LOAD)
    assert "ValueError: &lt;no&gt;" in text
    assert "signal 9" in text
    assert "50 MB" in text
    assert "1.50 s" in text
    assert "out of memory" in text
    assert "&lt;rows&gt;" in text


def test_a_task_instance_shows_its_neighbours_and_the_command(site: Site) -> None:
    text = site.text(LOAD)
    assert f'<a href="{RUN_PATH}/tasks/extract">extract</a>' in text
    assert "asyncflow test etl load 2026-01-01T00:00:00+00:00 --dags " in text


def test_a_copy_of_a_mapped_task_keeps_its_index(empty: Site) -> None:
    empty.add(a_dag(tasks={"load": TaskSpec(task_id="load", is_mapped=True)}))
    run = a_run()
    copies = [a_ti(run, "load", map_index=n, rendered_map_index="Rome" if n else None) for n in range(2)]
    empty.store(run, *copies)
    text = empty.text(f"{LOAD}/log?map_index=1")
    assert "<h1>load[Rome]</h1>" in text
    assert f'href="{LOAD}?map_index=1"' in text
    assert "2 copies" in text
    assert "--map-index 1" in empty.text(f"{LOAD}?map_index=1")


# ---- clear and mark -----------------------------------------------------------------


def test_clearing_shows_first_what_it_touches(site: Site) -> None:
    text = site.text(f"{RUN_PATH}/clear?ti=-1:extract&downstream=1")
    assert "This touches 2 task instances." in text
    assert "version v1" in text
    assert "This touches 1 task instance." in site.text(f"{RUN_PATH}/clear?ti=-1:extract")
    assert site.states() == {"extract": "success", "load": "failed"}


def test_a_dialog_is_bare_for_scripts_and_a_page_without(site: Site) -> None:
    page, bare = site.get(f"{RUN_PATH}/clear"), site.get(f"{RUN_PATH}/clear", **{"HX-Request": "true"})
    assert "<html" in page.text
    assert "<html" not in bare.text
    assert page.headers["vary"] == bare.headers["vary"]


def test_clear_then_undo(site: Site) -> None:
    before = site.run()
    answer = confirm(site, f"{RUN_PATH}/clear?ti=-1:extract&downstream=1")
    assert answer.status_code == 303
    assert site.states() == {"extract": "none", "load": "none"}
    page = site.get(answer.headers["location"])
    assert "2 task instances were cleared." in page.text
    name = page.text.split('name="name" value="')[1].split('"')[0]
    undone = site.post("/undo", {"form_token": token_in(page), "name": name, "back": RUN_PATH})
    assert undone.headers["location"] == f"{RUN_PATH}?done=undone&n=2"
    assert "2 task instances are what they were." in site.text(undone.headers["location"])
    assert site.run() == before
    again = site.post("/undo", {"form_token": token_in(page), "name": name})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("opened_at", "leads_to"),
    [
        (f"{LOAD}/log?try=1&q=x&map_index=2", f"{LOAD}/log?map_index=2"),
        (LOAD, LOAD),
        (f"{RUN_PATH}?state=failed&done=marked&n=1", f"{RUN_PATH}?state=failed"),
        ("/runs?state=failed", RUN_PATH),
        ("//elsewhere.org/", RUN_PATH),
    ],
)
def test_an_action_leads_back_to_where_it_was_begun(site: Site, opened_at: str, leads_to: str) -> None:
    page = site.get(f"{RUN_PATH}/clear?ti=-1:load", referer=f"{site.base_url}{opened_at}")
    back = re.findall(r'name="back" value="([^"]*)"', page.text.partition("<main")[2])
    assert {html.unescape(one) for one in back} == {leads_to}
    data = {"form_token": token_in(page), "once": once_in(page), "ti": "-1:load", "back": leads_to}
    location = site.post(f"{RUN_PATH}/clear", data).headers["location"]
    assert location.startswith(f"{leads_to}{'&' if '?' in leads_to else '?'}done=cleared&n=1&undo=")


def test_the_page_of_a_task_instance_says_what_was_done_to_it(site: Site) -> None:
    page = site.get(f"{RUN_PATH}/clear?ti=-1:load", referer=f"{site.base_url}{LOAD}")
    data = {"form_token": token_in(page), "once": once_in(page), "ti": "-1:load", "back": LOAD}
    page = site.get(site.post(f"{RUN_PATH}/clear", data).headers["location"])
    assert "1 task instance was cleared." in page.text
    name = page.text.split('name="name" value="')[1].split('"')[0]
    assert f'name="back" value="{LOAD}"' in page.text
    assert site.post("/undo", {"form_token": token_in(page), "name": name, "back": LOAD}).status_code == 303
    assert site.states()["load"] == "failed"


def test_external_markers_are_followed_unless_the_form_says_this_dag_only(empty: Site) -> None:
    marker = MarkerSpec(dag_id="below", task_id="wait", offset=timedelta())
    empty.add(a_dag(tasks={"mark": TaskSpec(task_id="mark", operator="ExternalTaskMarker", marker=marker)}))
    empty.add(a_dag("below", tasks={"wait": TaskSpec(task_id="wait", operator="ExternalTaskSensor")}))
    empty.store(a_run(), a_ti(a_run(), "mark"))
    empty.store(a_run(dag_id="below"), a_ti(a_run(dag_id="below"), "wait"))
    text = empty.text(f"{RUN_PATH}/clear?ti=-1:mark")
    assert "Only this DAG" in text
    assert "wait (below, " in text
    assert "This touches 1 task instance." in empty.text(f"{RUN_PATH}/clear?ti=-1:mark&only_this_dag=1")


def test_a_form_that_is_sent_twice_acts_once(site: Site) -> None:
    page = site.get(f"{RUN_PATH}/clear?ti=-1:load")
    data = {"form_token": token_in(page), "once": once_in(page), "ti": "-1:load"}
    first, second = (site.post(f"{RUN_PATH}/clear", data) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert site.run()["clear_number"] == 1


@pytest.mark.parametrize("state", ["success", "failed", "skipped"])
def test_mark(site: Site, state: str) -> None:
    answer = confirm(site, f"{RUN_PATH}/mark?state={state}&ti=-1:extract&ti=-1:load&upstream=1")
    assert answer.status_code == 303
    assert set(site.states().values()) == {state}


def test_a_run_is_cancelled(site: Site) -> None:
    site.ask(site.server.actions.trigger_dag, "report", run_id="mine")
    assert "Cancel the run" in site.text("/dags/report/runs/mine")
    assert "The run gets this state." in site.text("/dags/report/runs/mine/mark?state=failed")
    location = confirm(site, "/dags/report/runs/mine/mark?state=failed").headers["location"]
    assert "The run was marked, and " in site.text(location)
    assert site.run("mine", "report")["state"] == "failed"


def test_several_copies_are_cleared_together(empty: Site) -> None:
    expand = ExpandSpec(inputs={"x": LiteralInput(length=3)})
    tasks = {"load": TaskSpec(task_id="load", is_mapped=True, expand=expand), "end": TaskSpec(task_id="end")}
    empty.add(a_dag(tasks=tasks))
    run = a_run()
    copies = [a_ti(run, "load", map_index=n) for n in range(3)]
    empty.store(run, a_ti(run, "end"), *copies)
    confirm(empty, f"{RUN_PATH}/clear?ti=0:load&ti=2:load&ti=-1:end")
    rows = {(row["task_id"], row["map_index"]): row["state"] for row in empty.run()["tasks"]}
    assert rows == {("load", 0): None, ("load", 1): "success", ("load", 2): None, ("end", -1): None}


def test_past_runs_are_named(site: Site) -> None:
    run = a_run(1)
    site.store(run, a_ti(run, "extract"), a_ti(run, "load"))
    text = site.text("/dags/etl/runs/scheduled__2026-01-02T00%3A00%3A00%2B00%3A00/clear?ti=-1:load&past=1")
    assert "They are in 2 runs." in text
    assert "load (scheduled__2026-01-01T00:00:00+00:00)" in text


# ---- notes --------------------------------------------------------------------------


def test_notes(site: Site) -> None:
    assert confirm(site, f"{RUN_PATH}/note", note=" late <b> ").headers["location"] == RUN_PATH
    assert "late &lt;b&gt;</blockquote>" in site.text(RUN_PATH)
    assert confirm(site, f"{RUN_PATH}/note?task=load", note="mine").headers["location"] == LOAD
    assert "mine" in site.text(f"{RUN_PATH}/note?task=load")
    assert "mine" in site.text(RUN_PATH)


# ---- trigger ------------------------------------------------------------------------


def test_trigger_leads_to_the_new_run(site: Site) -> None:
    data = {"conf": '{"a": 1}', "run_id": "mine", "note": "hello", "logical_date": "2026-02-01"}
    answer = confirm(site, "/dags/etl/trigger", **data)
    assert answer.headers["location"] == "/dags/etl/runs/mine"
    run = site.run("mine")
    assert (run["conf"], run["note"], run["triggered_by"]) == ({"a": 1}, "hello", "ui")
    assert run["logical_date"] == "2026-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"conf": "nonsense"}, "is not a JSON object"),
        ({"run_id": RUN}, "already has the run"),
        ({"run_id": "a b"}, "letters"),
    ],
)
def test_a_mistake_comes_back_with_what_was_entered(site: Site, fields: dict[str, str], sentence: str) -> None:
    answer = confirm(site, "/dags/etl/trigger", note="keep me", **fields)
    assert answer.status_code == 400
    assert sentence in answer.text
    assert 'value="keep me"' in answer.text
    assert list(fields.values())[0] in answer.text


def test_params_make_the_form(empty: Site) -> None:
    empty.add(
        a_dag(params={"n": ParamSpec(value=3, schema={"type": "integer", "minimum": 1}), "on": ParamSpec(value=True)})
    )
    text = empty.text("/dags/etl/trigger")
    assert 'type="number" name="param.n" value="3"' in text
    answer = confirm(empty, "/dags/etl/trigger", **{"param.n": "5", "run_id": "mine"})
    assert answer.status_code == 303
    assert empty.run("mine")["conf"] == {"n": 5, "on": False}
    assert "Earlier configurations" in empty.text("/dags/etl/trigger")
    answer = confirm(empty, "/dags/etl/trigger", **{"param.n": "0"})
    assert "0 is less than the minimum of 1" in answer.text


def test_each_mistake_is_said_at_its_field_and_nothing_entered_is_lost(empty: Site) -> None:
    params = {
        "n": ParamSpec(value=3, schema={"type": "integer", "maximum": 9}),
        "colour": ParamSpec(value="red", schema={"type": "string", "enum": ["red", "blue"]}),
        "more": ParamSpec(value={"a": 1}, schema={"type": "object"}),
        "who": ParamSpec(schema={"type": "string", "minLength": 2}, has_value=False),
        "many": ParamSpec(value=1, schema={"type": "integer", "maximum": 2}),
    }
    empty.add(a_dag(params=params))
    sent = {
        "param.n": "x",
        "param.colour": "blue",
        "param.more": "{bad",
        "param.many": "3",
        "param.who": "ab",
        "logical_date": "yesterday",
    }
    text = confirm(empty, "/dags/etl/trigger", **sent, run_id="a b").text
    assert "5 values are not right" in text
    assert 'id="wrong-param.n">&#39;x&#39; is not a number.' in text
    assert 'id="wrong-param.more">' in text
    assert 'id="wrong-logical_date">' in text
    assert 'id="wrong-run_id">' in text
    assert 'value="ab"' in text
    assert 'value="blue" data-json="&#34;blue&#34;" selected' in text
    assert "{bad</textarea>" in text

    text = confirm(empty, "/dags/etl/trigger", **{"param.n": "10", "param.colour": "blue", "param.who": "a"}).text
    assert 'id="wrong-param.n">10 is greater than the maximum of 9.' in text
    assert 'id="wrong-param.who">&#39;a&#39; is shorter than 2 characters.' in text
    assert 'value="10"' in text


def test_a_refused_trigger_leaves_the_dag_paused(site: Site) -> None:
    confirm(site, "/dags/report/trigger", unpause="1", run_id="mine")
    site.ask(site.server.actions.pause_dag, "report")
    assert confirm(site, "/dags/report/trigger", unpause="1", run_id="mine").status_code == 400
    assert site.ask(site.server.actions.get_dag, "report")["paused"]


def test_a_paused_dag_may_be_turned_on_with_the_trigger(site: Site) -> None:
    assert "Unpause the DAG" in site.text("/dags/report/trigger")
    confirm(site, "/dags/report/trigger", unpause="1", run_id="mine")
    assert not site.ask(site.server.actions.get_dag, "report")["paused"]


def test_how_long_a_run_goes_on_is_counted_by_the_page(site: Site) -> None:
    run = a_run(1, state=RunState.RUNNING, ended_at=None)
    site.store(run, a_ti(run, "extract", state=TaskState.RUNNING, ended_at=None, token="a"))
    since = f'<time class="lasting" datetime="{run.run_after.isoformat()}">'
    for path in ("/runs", "/dags/etl/runs", "/tasks", address.run_path("etl", run.run_id)):
        assert since in site.text(path), path
    assert since not in site.text(RUN_PATH)
