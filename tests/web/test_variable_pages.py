"""Variables as pages: list, form, import, export."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from asyncflow.errors import InvalidInput
from asyncflow.web import variable_view
from tests.web.conftest import Site

ADD = "/add/variable"
HOSTILE = "a/b </textarea><script>?x=1&y#z"
HOSTILE_PATH = "/variables/a%2Fb%20%3C%2Ftextarea%3E%3Cscript%3E%3Fx%3D1%26y%23z"


@pytest.fixture
def site(empty: Site) -> Site:
    for key, value in (
        ("limit", "3"),
        ("db_password", "pa55word"),
        ("settings", '{"region": "eu", "token": "sesame"}'),
        (HOSTILE, "</textarea><script>alert(1)</script>"),
    ):
        empty.ask(empty.server.actions.set_variable, key, value, f"about {key}")
    return empty


def value(site: Site, key: str) -> str:
    return str(site.ask(site.server.actions.get_variable, key, reveal=True)["value"])


@pytest.mark.parametrize("path", ["/variables", "/variables/db_password", "/variables/settings", HOSTILE_PATH])
def test_no_page_has_a_secret_or_runs_a_value(site: Site, path: str) -> None:
    text = site.text(path)
    assert "pa55word" not in text
    assert "sesame" not in text
    assert "<script>" not in text


def test_the_list_is_searched_by_the_address(site: Site) -> None:
    assert site.text("/variables?q=SETT").count("data-href=") == 1
    assert "No Variable matches." in site.text("/variables?q=nothing")


def test_what_the_environment_defines_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_LIMIT", "hush")
    text = site.text("/variables")
    assert "the environment wins" in text
    assert "<code>AIRFLOW_VAR_LIMIT</code>" in text
    assert "tasks get that one" in site.text("/variables/limit")
    assert "hush" not in text


def test_one_is_added_changed_and_deleted(site: Site) -> None:
    answer = site.send(ADD, {"key": "new", "value": "a\r\nb", "description": "d"}, page=ADD)
    assert "new was added." in site.text(answer.headers["location"])
    assert value(site, "new") == "a\nb"
    answer = site.send(HOSTILE_PATH, {"value": "2"}, page=ADD)
    assert (answer.status_code, value(site, HOSTILE)) == (303, "2")
    assert "was changed." in site.text(answer.headers["location"])
    answer = site.send("/delete/variables", {"name": ["new", HOSTILE]}, page=ADD)
    assert "2 were deleted." in site.text(answer.headers["location"])


def test_a_secret_stays_when_its_field_is_empty(site: Site) -> None:
    page = "/variables/db_password"
    site.send(page, {"secret": "1", "value": "", "description": "new"}, page=page)
    assert value(site, "db_password") == "pa55word"
    site.send(page, {"secret": "1", "value": "", "forget": "1"}, page=page)
    assert value(site, "db_password") == ""
    site.send(page, {"secret": "1", "value": "other"}, page=page)
    assert value(site, "db_password") == "other"


def test_json_is_shown_and_kept_with_its_secrets(site: Site) -> None:
    text = site.text("/variables/settings")
    assert "&#34;token&#34;: &#34;***&#34;" in text
    site.send("/variables/settings", {"value": '{"region": "us", "token": "***"}'}, page=ADD)
    assert json.loads(value(site, "settings")) == {"region": "us", "token": "sesame"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"key": "limit", "value": "1"}, "exists already"),
        ({"key": "", "value": "1"}, "1 to 250 characters"),
        ({"key": "k", "value": "{", "check": "1"}, "is not JSON"),
    ],
)
def test_a_mistake_is_a_sentence_in_the_form(site: Site, fields: dict[str, str], words: str) -> None:
    answer = site.send(ADD, fields, page=ADD)
    assert (answer.status_code, words in answer.text) == (400, True)
    assert f">\n{fields['value']}</textarea>" in answer.text
    answer = site.send("/variables/nothing", {"secret": "1", "value": ""}, page=ADD)
    assert answer.status_code == 400


# ---- import and export ----------------------------------------------------------------------------------------------


def preview(site: Site, **fields: Any) -> httpx.Response:
    return site.send("/import/variables/preview", fields, page=ADD)


def imported(site: Site, page: httpx.Response) -> httpx.Response:
    """Send the form of a preview."""
    hidden = dict(
        re.findall(
            r'name="(upload|on_conflict|once)" value="([^"]+)"', page.text.rpartition('action="/import/variables"')[2]
        )
    )
    return site.send("/import/variables", hidden, page=ADD)


FILE = '{"limit": "4", "settings": "new", "list": [1, 2], "api_key": "hush"}'


def test_an_import_is_shown_first_and_done_then(site: Site) -> None:
    page = preview(site, text=FILE)
    assert page.status_code == 200
    assert page.text.count("is replaced") == 2
    assert page.text.count("is added") == 2
    assert "Import 4 Variables" in page.text
    assert "hush" not in page.text
    assert value(site, "limit") == "3"
    answer = imported(site, page)
    assert "4 Variables were imported." in site.text(answer.headers["location"])
    assert (value(site, "limit"), value(site, "list")) == ("4", "[\n  1,\n  2\n]")


def test_what_exists_is_left_or_stops_the_import(site: Site) -> None:
    page = preview(site, text=FILE, on_conflict="skip")
    assert page.text.count("exists, and is left alone") == 2
    assert "Import 2 Variables" in page.text
    imported(site, page)
    assert (value(site, "limit"), value(site, "api_key")) == ("3", "hush")
    page = preview(site, text=FILE, on_conflict="fail")
    assert "4 exist already, so nothing would be imported." in page.text
    assert re.search(r"<button[^>]* disabled>Import", page.text)
    assert imported(site, page).status_code == 400


def test_a_preview_is_made_anew_without_sending_the_file_again(site: Site) -> None:
    page = preview(site, text=FILE)
    upload = re.findall(r'name="upload" value="([^"]+)"', page.text)[0]
    assert "is left alone" in preview(site, upload=upload, on_conflict="skip").text


def test_a_file_is_uploaded(site: Site) -> None:
    token = site.cookies["asyncflow_form"] if "asyncflow_form" in site.cookies else ""
    if not token:
        site.get(ADD)
        token = site.cookies["asyncflow_form"]

    def upload(name: str, data: bytes) -> httpx.Response:
        return site._request(
            "POST", "/import/variables/preview", data={"form_token": token}, files={"file": (name, data)}
        )

    assert "From v.yaml" in upload("v.yaml", b"a: 1\nb: [x]").text
    assert "is no text in UTF-8" in upload("v.json", b"\xff\xfe").text
    assert "v.json is not JSON" in upload("v.json", b"{").text
    assert "must hold an object" in upload("v.json", b"[1]").text
    assert "is larger than 10 MB" in upload("v.json", b"x" * 10_500_000).text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Choose a file, or paste its text."),
        ({"text": "A=1\nB"}, "write NAME=value"),
        ({"upload": "gone"}, "choose it again"),
        ({"text": "a: 2026-01-01"}, "a value is no JSON"),
        ({"text": "{}", "on_conflict": "odd"}, "accepted are overwrite"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(site: Site, fields: dict[str, str], words: str) -> None:
    answer = preview(site, **fields)
    assert (answer.status_code, words in answer.text) == (400, True)


def export(site: Site, query: str, **fields: Any) -> httpx.Response:
    """Send the form that asks what is to be exported."""
    names = re.findall(r'name="name" value="([^"]+)"', site.text(f"/export/variables?{query}"))
    return site.send("/export/variables", {"name": names, **fields}, page=ADD)


def test_an_export_reads_back(site: Site) -> None:
    answer = export(site, "all=1")
    assert answer.headers["content-disposition"] == 'attachment; filename="variables.json"'
    named = answer.json()
    assert named["db_password"] == "pa55word"
    assert named["settings"] == {"region": "eu", "token": "sesame"}
    some = export(site, "name=limit&name=gone", format="yaml")
    assert some.text == "limit: 3\n"
    assert list(export(site, "all=1&q=LIM").json()) == ["limit"]
    assert "Nothing is selected" in site.text("/export/variables")
    assert site.send("/export/variables", {"name": "limit", "format": "xml"}, page=ADD).status_code == 400


def test_all_that_match_are_deleted_wherever_the_list_has_them(site: Site) -> None:
    for number in range(105):
        site.ask(site.server.actions.set_variable, f"old{number}", "x")
    text = site.text("/variables?q=old&page=2")
    assert "all 105 matching Variables" in text
    assert '<input type="hidden" name="q" value="old">' in text
    names = re.findall(r'name="name" value="([^"]+)"', site.text("/delete/variables?all=1&q=old"))
    assert len(names) == 105
    site.send("/delete/variables", {"name": names}, page=ADD)
    assert "No Variable matches." in site.text("/variables?q=old")
    assert "limit" in site.text("/variables")


@pytest.mark.parametrize(
    ("text", "name"),
    [(' {"a": 1}', "text.json"), ("A=1\n# c\nB=x:y", "text.env"), ("a: b=c", "text.yaml"), ("", "text.yaml")],
)
def test_the_format_of_a_pasted_text_is_seen(text: str, name: str) -> None:
    assert variable_view.guessed_name(text) == name


def test_only_the_newest_files_wait() -> None:
    uploads = variable_view.Uploads()
    names = [uploads.keep("f", {"a": str(n)}) for n in range(25)]
    assert uploads.get(names[-1]) == ("f", {"a": "24"})
    with pytest.raises(InvalidInput, match="not here any more"):
        uploads.get(names[0])
