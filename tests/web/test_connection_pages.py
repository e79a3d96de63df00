"""Connections as pages: no secret leaves the server, none gets lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Site

ADD = "/add/connection"


@pytest.fixture
def site(empty: Site) -> Site:
    extra = {"sslmode": "require", "api_key": "sesame"}
    fields = {"conn_type": "postgres", "host": "h<b>", "login": "me", "password": "pa55word", "extra": extra}
    empty.ask(empty.server.actions.set_connection, "sales", fields)
    return empty


def stored(site: Site, conn_id: str = "sales") -> dict[str, Any]:
    return site.ask(site.server.actions.get_connection, conn_id, reveal=True)


@pytest.mark.parametrize(
    "path", ["/connections", "/connections/sales", "/add/connection?like=sales", "/delete/connections?name=sales"]
)
def test_no_page_has_a_secret(site: Site, path: str) -> None:
    text = site.text(path)
    assert "sales" in text
    assert "pa55word" not in text
    assert "sesame" not in text


def test_the_list_is_searched_and_filtered_by_the_address(site: Site) -> None:
    for number in range(105):
        site.ask(site.server.actions.set_connection, f"web{number:03}", {"conn_type": "http"})
    assert "h&lt;b&gt;" in site.text("/connections?q=H%3CB")
    assert "No Connection matches." in site.text("/connections?q=nothing")
    assert "/connections/web" not in site.text("/connections?type=postgres")
    second = site.text("/connections?page=2&type=http")
    assert second.count("data-href=") == 5
    assert "101 to 105 of 105" in second


def test_a_form_sent_back_as_it_is_changes_nothing(site: Site) -> None:
    before = stored(site)
    text = site.text("/connections/sales")
    assert "&#34;api_key&#34;: &#34;***&#34;" in text
    fields = {
        "like": "sales",
        "conn_type": "postgres",
        "host": "h<b>",
        "login": "me",
        "password": "",
        "extra": '{\r\n  "sslmode": "require",\r\n  "api_key": "***"\r\n}',
    }
    answer = site.send("/connections/sales", fields, page="/connections/sales")
    assert (answer.status_code, stored(site)) == (303, before)
    assert "sales was changed." in site.text(answer.headers["location"])


def test_secrets_are_replaced_and_removed(site: Site) -> None:
    site.send(
        "/connections/sales", {"like": "sales", "conn_type": "http", "password": "new"}, page="/connections/sales"
    )
    assert stored(site)["password"] == "new"
    fields = {"like": "sales", "conn_type": "http", "forget.password": "1"}
    site.send("/connections/sales", fields, page="/connections/sales")
    assert stored(site)["password"] is None


@pytest.mark.parametrize("path", ["/connections/sales", "/test/connection"])
@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"host": "evil"}, "host"),
        ({"port": "1"}, "port"),
        ({"login": "you"}, "login"),
        ({"conn_type": "http"}, "conn_type"),
        ({"extra": '{"sslmode": "disable", "api_key": "***"}'}, "extra"),
    ],
)
def test_a_form_that_leads_elsewhere_needs_the_secrets_anew(
    site: Site, path: str, changed: dict[str, str], names: str
) -> None:
    before = stored(site)
    form = {
        "like": "sales",
        "conn_id": "sales",
        "conn_type": "postgres",
        "host": "h<b>",
        "login": "me",
        "extra": '{"sslmode": "require", "api_key": "***"}',
    }
    answer = site.send(path, {**form, **changed}, page="/connections/sales")
    assert f"this changes {names}: type password, api_key again." in answer.text
    assert stored(site) == before


def test_one_is_added_duplicated_and_deleted(site: Site) -> None:
    assert site.send(ADD, {"conn_id": "web", "conn_type": "http", "host": "w"}, page=ADD).status_code == 303
    assert stored(site, "web")["host"] == "w"
    copy = {
        "conn_id": "sales2",
        "conn_type": "postgres",
        "host": "h<b>",
        "login": "me",
        "like": "sales",
        "extra": '{"sslmode": "require", "api_key": "***"}',
    }
    assert site.send(ADD, copy, page=ADD).status_code == 303
    row = stored(site, "sales2")
    assert (row["password"], row["extra"]) == ("pa55word", '{"sslmode": "require", "api_key": "sesame"}')
    answer = site.send("/delete/connections", {"name": ["sales", "sales2"]}, page=ADD)
    assert "2 were deleted." in site.text(answer.headers["location"])
    assert site.get("/connections/sales").status_code == 404


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"conn_id": "sales", "conn_type": "http"}, "exists already"),
        ({"conn_id": "a/b", "conn_type": "http"}, "are accepted, at most 200"),
        ({"conn_id": "c", "conn_type": ""}, "needs a conn_type"),
        ({"conn_id": "c", "conn_type": "http", "port": "x"}, "is not a whole number"),
        ({"conn_id": "c", "conn_type": "http", "extra": "{"}, "extra is not right"),
        ({"conn_id": "c", "conn_type": "http", "extra": '{"token": "***"}'}, "nothing is stored in its place"),
    ],
)
def test_a_mistake_is_a_sentence_in_the_form_and_the_rest_stays(site: Site, fields: dict[str, str], words: str) -> None:
    answer = site.send(ADD, {**fields, "host": "typed", "password": "typed-secret"}, page=ADD)
    assert answer.status_code == 400
    assert words in answer.text
    assert 'value="typed"' in answer.text
    assert "typed-secret" not in answer.text


def test_another_type_shows_its_fields_and_keeps_what_was_typed(site: Site) -> None:
    assert 'name="host"' not in site.text(f"{ADD}?conn_type=aws")
    fields = {"conn_id": "c", "conn_type": "aws", "login": "key", "show": "1"}
    text = site.send(ADD, fields, page=ADD).text
    assert "Access key ID" in text
    assert 'value="key"' in text
    assert "pip install apache-airflow-providers-amazon" in text
    assert site.get("/connections/c").status_code == 404


def test_a_hostile_type_and_id_are_only_text(site: Site) -> None:
    site.ask(site.server.actions.set_connection, "x.y~z:1", {"conn_type": '"><script>', "description": "<i>"})
    for path in ("/connections", "/connections/x.y~z%3A1"):
        assert "<script>" not in site.text(path).replace("<script src", "")


def test_the_environment_is_said_to_win(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALES", "http://")
    monkeypatch.setenv("ASYNCFLOW_CONN_OTHER", "http://me:pa55word@h/")
    text = site.text("/connections")
    assert "the environment wins" in text
    assert "<code>ASYNCFLOW_CONN_OTHER</code>" in text
    assert "pa55word" not in text
    assert "The environment of the server defines this Connection" in site.text("/connections/sales")


def test_a_connection_can_be_copied_without_its_secrets(site: Site) -> None:
    text = site.text("/connections/sales")
    assert "AIRFLOW_CONN_SALES=&#39;postgres://me:***@h%3Cb%3E/?sslmode=require&amp;api_key=***&#39;" in text


def test_a_list_that_is_there_is_not_sent_again_until_it_changes(site: Site) -> None:
    have = site.text("/list/connections").partition("have=")[2].partition('"')[0]
    assert site.get(f"/list/connections?have={have}").status_code == 204
    site.ask(site.server.actions.delete_connection, "sales")
    assert site.get(f"/list/connections?have={have}").status_code == 200


# ---- the test, in a process of its own ------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_stored_is_tested_from_the_list(site: Site) -> None:
    answer = site.send("/test/connection", {"conn_id": "sales"}, page=ADD)
    assert "It does not work." in answer.text
    assert "pip install apache-airflow-providers-postgres" in answer.text
    in_place = site.post(
        "/test/connection", {"conn_id": "sales", "form_token": site.cookies["asyncflow_form"]}, **{"HX-Request": "true"}
    )
    assert in_place.text.startswith('<span class="bad">')


@pytest.mark.slow
def test_one_of_the_environment_is_tested_in_the_list(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ROOT", '{"conn_type": "fs", "extra": {"path": "/"}}')
    answer = site.send("/test/connection", {"conn_id": "root"}, page=ADD)
    assert "It works." in answer.text
    assert "<h1>Connections</h1>" in answer.text
    answer = site.send("/test/connection", {"conn_id": "nowhere"}, page=ADD)
    assert "There is no Connection &#39;nowhere&#39;." in answer.text


@pytest.mark.slow
def test_a_form_is_tested_before_it_is_saved(site: Site) -> None:
    fields = {"conn_id": "here", "conn_type": "fs", "extra": '{"path": "/"}'}
    answer = site.send("/test/connection", fields, page=ADD)
    assert "It works." in answer.text
    assert 'value="here"' in answer.text
    assert site.get("/connections/here").status_code == 404


def test_a_form_with_a_mistake_is_not_tested(site: Site) -> None:
    answer = site.send("/test/connection", {"conn_id": "c", "conn_type": "http", "port": "x"}, page=ADD)
    assert (answer.status_code, "is not a whole number" in answer.text) == (200, True)
