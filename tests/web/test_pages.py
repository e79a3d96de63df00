"""What the first pages show and where their forms lead."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.web.conftest import Browser, token_in
from tests.web.fake_actions import RUN, FakeActions, a_dag, an_instance

RUN_PATH = f"/dags/etl/runs/{quote(RUN, safe='')}"


def test_list_shows_each_dag_with_last_run_and_next_run(browser: Browser) -> None:
    text = browser.get("/").text
    assert 'href="/dags/etl"' in text
    assert "2026-01-03 00:00:00 UTC" in text
    assert f'href="{RUN_PATH}"' in text
    assert "every day at 00:00" in text


def test_list_leaves_out_dags_that_left_the_folder(browser: Browser, actions: FakeActions) -> None:
    actions.dags["gone"] = a_dag("gone", active=False)
    assert "gone" not in browser.get("/").text


def test_text_of_users_is_escaped(browser: Browser) -> None:
    text = browser.get("/").text
    assert "Moves &lt;things&gt;" in text
    assert "<things>" not in text


def test_import_errors_come_first_with_place_and_traceback(browser: Browser, actions: FakeActions) -> None:
    actions.errors = [
        {
            "file": "bad.py",
            "line": 3,
            "kind": "SyntaxError",
            "message": "invalid syntax",
            "traceback": "File bad",
            "at": "",
        }
    ]
    text = browser.get("/").text
    assert "1 file cannot be loaded" in text
    assert "bad.py:3" in text
    assert text.index("bad.py") < text.index('href="/dags/etl"')


def test_empty_folder_says_what_to_do(browser: Browser, actions: FakeActions) -> None:
    actions.dags = {}
    assert "Put a DAG file into the folder" in browser.get("/").text


def test_poll_of_unchanged_list_is_204(browser: Browser, actions: FakeActions) -> None:
    first = browser.get("/dags/table")
    assert first.status_code == 200
    address = first.text.split('hx-get="')[1].split('"')[0]
    assert browser.get(address).status_code == 204
    actions.dags["etl"]["paused"] = True
    assert browser.get(address).status_code == 200


@pytest.mark.parametrize(("dag_id", "verb", "paused"), [("etl", "pause", True), ("report", "unpause", False)])
def test_switch_pauses_and_unpauses(
    browser: Browser, actions: FakeActions, dag_id: str, verb: str, paused: bool
) -> None:
    token = token_in(browser.get("/"))
    answer = browser.post(f"/dags/{dag_id}/{verb}", data={"form_token": token, "from": "list"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/#dag-{dag_id}")
    assert actions.dags[dag_id]["paused"] is paused


def test_switch_on_the_page_of_a_dag_leads_back_to_it(browser: Browser) -> None:
    token = token_in(browser.get("/"))
    answer = browser.post("/dags/etl/pause", data={"form_token": token, "from": "dag"})
    assert answer.headers["location"] == "/dags/etl"


def test_trigger_leads_to_the_new_run(browser: Browser, actions: FakeActions) -> None:
    token = token_in(browser.get("/"))
    answer = browser.post("/dags/etl/trigger", data={"form_token": token, "conf": '{"a": 1}'})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/dags/etl/runs/manual__2026-01-05T00%3A00%3A00%2B00%3A00"
    assert actions.calls[-1] == ("trigger_dag", {"dag_id": "etl", "conf": '{"a": 1}', "triggered_by": "ui"})
    assert browser.get(answer.headers["location"]).status_code == 200


def test_trigger_with_bad_conf_is_a_sentence(browser: Browser) -> None:
    token = token_in(browser.get("/"))
    answer = browser.post("/dags/etl/trigger", data={"form_token": token, "conf": "nonsense"})
    assert answer.status_code == 400
    assert "conf is not JSON" in answer.text


@pytest.mark.parametrize("token", [None, "", "of another site", "ü"])
def test_form_of_another_site_changes_nothing(browser: Browser, actions: FakeActions, token: str | None) -> None:
    browser.get("/")
    answer = browser.post("/dags/etl/trigger", data={} if token is None else {"form_token": token})
    assert answer.status_code == 403
    assert actions.calls == []


def test_form_without_cookie_changes_nothing(browser: Browser, actions: FakeActions) -> None:
    token = token_in(browser.get("/"))
    browser.cookies.clear()
    assert browser.post("/dags/etl/pause", data={"form_token": token}).status_code == 403
    assert actions.calls == []


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:80", 200), ("[::1]:8080", 200), ("My.LOCALHOST", 200), ("evil.example", 421), ("localhost.evil", 421)],
)
def test_a_foreign_host_name_is_refused(browser: Browser, host: str, status: int) -> None:
    browser.base_url = f"http://{host}"
    assert browser.get("/").status_code == status


def test_run_page_shows_states_and_reasons(browser: Browser, actions: FakeActions) -> None:
    actions.instances.append(an_instance("report", state=None, started_at=None, duration=None, try_number=0))
    actions.why = "extract has not ended"
    text = browser.get(RUN_PATH).text
    assert "state-failed" in text
    assert text.count("extract has not ended") == 1
    assert f"{RUN_PATH}/tasks/extract/log" in text


@pytest.mark.parametrize(
    ("state", "polls"), [("running", True), ("queued", True), ("success", False), ("failed", False)]
)
def test_run_page_polls_only_while_the_run_is_active(
    browser: Browser, actions: FakeActions, state: str, polls: bool
) -> None:
    actions.runs[0]["state"] = state
    assert ("hx-get" in browser.get(RUN_PATH).text) is polls
    assert browser.get(f"{RUN_PATH}/instances").status_code == 200


def test_log_page_shows_the_last_try_and_links_every_try(browser: Browser) -> None:
    text = browser.get(f"{RUN_PATH}/tasks/load/log").text
    assert "two" in text
    assert f'href="{RUN_PATH}/tasks/load/log?try=1"' in text
    assert "hx-get" not in text
    assert "one" in browser.get(f"{RUN_PATH}/tasks/load/log?try=1").text


def test_log_of_a_running_task_polls_until_it_has_ended(browser: Browser, actions: FakeActions) -> None:
    actions.instances[0]["state"] = "running"
    text = browser.get(f"{RUN_PATH}/tasks/extract/log").text
    address = text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert browser.get(address).status_code == 204
    actions.logs["extract", 1] += "more\n"
    assert "more" in browser.get(address).text
    actions.instances[0]["state"] = "success"
    assert "hx-get" not in browser.get(address).text


def test_log_of_a_mapped_copy_keeps_its_map_index_in_links(browser: Browser, actions: FakeActions) -> None:
    actions.instances = [an_instance("load", map_index=3, rendered_map_index="Rome")]
    assert "load[Rome]" in browser.get(f"{RUN_PATH}/tasks/load/log?map_index=3").text
    assert "log?map_index=3" in browser.get(RUN_PATH).text


def test_log_as_plain_text(browser: Browser) -> None:
    answer = browser.get(f"{RUN_PATH}/tasks/extract/log/text")
    assert (answer.text, answer.headers["content-type"]) == ("hello\n", "text/plain; charset=utf-8")


def test_task_address_leads_to_its_log(browser: Browser) -> None:
    answer = browser.get(f"{RUN_PATH}/tasks/extract?map_index=2")
    assert answer.headers["location"] == f"{RUN_PATH}/tasks/extract/log?map_index=2"


def test_long_log_shows_its_end(browser: Browser, actions: FakeActions) -> None:
    actions.logs["extract", 1] = "start" + "x" * 300_000 + "finish"
    text = browser.get(f"{RUN_PATH}/tasks/extract/log").text
    assert "finish" in text
    assert "start" not in text.split("<pre", 1)[1]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/dags/etll/runs/x", 404, "Did you mean &#39;etl&#39;?"),
        ("/dags/etl/runs/none", 404, "There is no run"),
        (f"{RUN_PATH}/tasks/lod/log", 404, "Did you mean &#39;load&#39;?"),
        (f"{RUN_PATH}/tasks/load/log?try=x", 400, "is not a number"),
        ("/nowhere", 404, "There is no such page"),
        ("/dags/etl/pause", 405, "takes no such request"),
    ],
)
def test_wrong_address_is_a_page_with_a_sentence(browser: Browser, path: str, status: int, words: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == status
    assert words in answer.text


def test_health_is_json(browser: Browser) -> None:
    assert browser.get("/health").json()["metadatabase"] == {"status": "healthy"}


def test_pages_may_load_only_what_is_ours(browser: Browser) -> None:
    answer = browser.get("/")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "style=" not in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize("path", ["/static/app.css", "/static/htmx-4.0.1.min.js", "/static/icon.svg"])
def test_static_files_are_served(browser: Browser, path: str) -> None:
    assert browser.get(path).status_code == 200


def test_pages_show_which_datasets_a_dag_waits_for(browser: Browser, actions: FakeActions) -> None:
    datasets = {"s3://a": "2026-01-02T00:00:00+00:00", "s3://b": None}
    actions.dags["etl"] = a_dag("etl", dataset_condition="s3://a and s3://b", datasets=datasets, next_run_after=None)
    text = browser.get("/").text
    assert "1 of 2 datasets updated" in text
    assert "<code>s3://b</code> <small>awaited" in text
