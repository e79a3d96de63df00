"""Connections and Variables as forms see them: no secret goes out, none gets lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from asyncflow.engine.changes import CONNECTIONS, VARIABLES, Changes
from asyncflow.engine.clock import SystemClock
from asyncflow.engine.connection_forms import ConnectionFormActions
from asyncflow.engine.credentials import CredentialActions
from asyncflow.engine.variable_forms import VariableFormActions, pretty
from asyncflow.errors import AsyncflowError, Conflict, InvalidInput, NotFound
from asyncflow.store.database import Store

pytestmark = pytest.mark.anyio


class Desk(CredentialActions, ConnectionFormActions, VariableFormActions):
    """The actions over a store; what the child is asked is kept, what it says is set by the test."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changes = Changes()
        self._clock = SystemClock()
        self._learned = {}
        self._variable_changed = self._connection_changed = lambda name: None
        self.asked: list[Mapping[str, Any]] = []
        self.says: dict[str, Any] = {"types": {}, "status": True, "message": "well"}
        self._ask_child = self._asked

    async def _asked(self, question: Mapping[str, Any], limit: float) -> dict[str, Any]:
        self.asked.append(question)
        if "dies" in self.says:
            raise AsyncflowError(self.says["dies"])
        return self.says


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Desk]:
    async with await Store.open(tmp_path / "asyncflow.db") as store:
        made = Desk(store)
        extra = {"region": "eu", "api_key": "sesame!"}
        fields = {"conn_type": "postgres", "host": "h", "password": "pa55word", "extra": extra}
        await made.set_connection("db", fields)
        yield made


async def test_a_list_and_a_form_of_connections_hold_no_secret(desk: Desk) -> None:
    found, form = await desk.find_connections(), await desk.connection_form("db")
    assert "pa55word" not in f"{found}{form}"
    assert "sesame" not in f"{found}{form}"
    assert [row["conn_id"] for row in found["rows"]] == ["db"]
    assert (found["count"], found["types"]) == (1, ["postgres"])
    assert (form["has_password"], form["extra"]) == (True, '{\n  "region": "eu",\n  "api_key": "***"\n}')


async def test_lists_are_searched_filtered_and_cut(desk: Desk) -> None:
    for number in range(5):
        await desk.set_connection(f"web{number}", {"conn_type": "http", "host": f"Host{number}"})
    found = await desk.find_connections(text="hOST", limit=2, offset=2)
    assert ([row["conn_id"] for row in found["rows"]], found["count"]) == (["web2", "web3"], 5)
    assert (await desk.find_connections(conn_type="postgres"))["count"] == 1


async def test_a_form_sent_back_as_it_came_changes_nothing(desk: Desk) -> None:
    before = await desk.get_connection("db", reveal=True)
    form = await desk.connection_form("db")
    fields = {name: form[name] for name in ("conn_type", "host", "extra")}
    await desk.edit_connection("db", {**fields, "password": ""}, like="db")
    assert await desk.get_connection("db", reveal=True) == before


async def test_an_edit_keeps_replaces_and_forgets_secrets(desk: Desk) -> None:
    form = await desk.connection_form("db")
    fields = {name: form[name] for name in ("conn_type", "host", "extra")}
    await desk.edit_connection("db", {**fields, "password": "new"}, like="db")
    row = await desk.get_connection("db", reveal=True)
    assert (row["password"], "sesame!" in row["extra"]) == ("new", True)
    await desk.edit_connection("db", {"conn_type": "postgres"}, like="db", forget=["password"])
    row = await desk.get_connection("db", reveal=True)
    assert (row["password"], row["extra"]) == (None, None)


async def test_a_copy_has_the_secrets_of_its_model(desk: Desk) -> None:
    form = await desk.connection_form("db")
    fields = {name: form[name] for name in ("conn_type", "host", "extra")}
    await desk.edit_connection("db2", {**fields, "schema": "other"}, like="db", on_conflict="fail")
    row = await desk.get_connection("db2", reveal=True)
    assert (row["password"], "sesame!" in row["extra"]) == ("pa55word", True)
    with pytest.raises(Conflict, match="exists already"):
        await desk.edit_connection("db2", {"conn_type": "http"}, on_conflict="fail")


async def test_a_stored_secret_goes_nowhere_else_not_even_for_a_test(desk: Desk) -> None:
    form = await desk.connection_form("db")
    fields = {**{name: form[name] for name in ("conn_type", "extra")}, "host": "evil.example"}
    asked = len(desk.asked)
    with pytest.raises(InvalidInput, match=r"this changes host: type password, api_key again"):
        await desk.test_connection("db", fields, like="db")
    with pytest.raises(InvalidInput, match=r"this changes host: type password, api_key again"):
        await desk.edit_connection("db", fields, like="db")
    assert len(desk.asked) == asked
    typed = {**fields, "password": "typed", "extra": '{"api_key": "typed"}'}
    assert (await desk.test_connection("db", typed, like="db"))["status"]
    assert desk.asked[-1]["connection"]["password"] == "typed"


async def test_an_extra_that_is_no_json_stays_hidden_and_stays(desk: Desk) -> None:
    await desk.set_connection("odd", {"conn_type": "http", "extra": "just a secret text"})
    form = await desk.connection_form("odd")
    assert (form["extra"], form["extra_is_hidden"]) == ("", True)
    await desk.edit_connection("odd", {"conn_type": "http", "extra": ""}, like="odd")
    assert (await desk.get_connection("odd", reveal=True))["extra"] == "just a secret text"
    await desk.edit_connection("odd", {"conn_type": "http"}, like="odd", forget=["extra"])
    assert (await desk.get_connection("odd", reveal=True))["extra"] is None


@pytest.mark.parametrize(
    ("extra", "words"),
    [("{", "extra is not right"), ("[1]", "an object is needed"), ('{"token": "***"}', "nothing is stored")],
)
async def test_an_extra_that_cannot_be_is_a_sentence(desk: Desk, extra: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        await desk.edit_connection("db", {"conn_type": "http", "extra": extra}, like="db")


async def test_a_change_is_told_to_pages(desk: Desk) -> None:
    heard: list[str] = []
    desk._changes.listen(lambda names: heard.extend(name for name, _ in names))
    await desk.delete_connection("db")
    await desk.set_variable("v", "1")
    await desk.delete_variable("v")
    assert heard == [CONNECTIONS, VARIABLES, VARIABLES]


async def test_a_test_is_of_what_is_stored_or_of_the_form(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await desk.test_connection("db") == {"status": True, "message": "well"}
    assert desk.asked[-1]["connection"]["password"] == "pa55word"
    await desk.test_connection("new", {"conn_type": "http", "host": "x"})
    assert desk.asked[-1]["connection"]["host"] == "x"
    monkeypatch.setenv("AIRFLOW_CONN_DB", "mysql://other/")
    await desk.test_connection("db")
    assert desk.asked[-1]["connection"]["conn_type"] == "mysql"
    assert (await desk.connection_form("db"))["in_environment"]
    with pytest.raises(NotFound, match="no Connection 'dv'"):
        await desk.test_connection("dv")


async def test_a_test_says_which_package_is_missing(desk: Desk) -> None:
    desk.says = {"status": False, "message": 'Unknown hook type "postgres"'}
    answer = await desk.test_connection("db")
    assert "pip install apache-airflow-providers-postgres" in answer["message"]
    answer = await desk.test_connection("new", {"conn_type": "mystery"})
    assert answer["message"] == "No installed package knows connections of type 'mystery'."


async def test_a_test_that_dies_is_a_no_and_tells_no_secret(desk: Desk) -> None:
    desk.says = {"dies": "cannot reach postgres://me:pa55word@h?key=sesame!"}
    answer = await desk.test_connection("db")
    assert answer == {"status": False, "message": "cannot reach postgres://me:***@h?key=***"}


async def test_types_are_those_known_and_those_installed(desk: Desk) -> None:
    desk.says = {"types": {"shop": "shop-provider", "http": "apache-airflow-providers-http"}}
    types = {row["conn_type"]: row for row in await desk.connection_types()}
    assert types["shop"] == {"conn_type": "shop", "name": "shop", "package": "shop-provider", "installed": True}
    assert types["postgres"]["package"] == "apache-airflow-providers-postgres"
    assert not types["postgres"]["installed"]
    assert types["http"]["installed"]


async def test_the_form_of_a_type_is_ours_or_the_packages(desk: Desk) -> None:
    assert (await desk.connection_type_form("postgres"))["labels"] == {"schema": "Database"}
    desk._learned.clear()
    desk.says = {"types": {"shop": ""}, "hidden": ["port"], "labels": {}, "fields": [{"name": "till"}]}
    form = await desk.connection_type_form("shop")
    assert (form["hidden"], form["fields"]) == (["port"], [{"name": "till"}])
    desk._learned = {name: row for name, row in desk._learned.items() if "types" in name}
    desk.says = {"dies": "no module"}
    form = await desk.connection_type_form("shop")
    assert (form["fields"], form["problem"]) == ([], "no module")


# ---- variables ------------------------------------------------------------------------------------------------------


async def test_variables_are_listed_without_secrets(desk: Desk) -> None:
    await desk.set_variable("db_password", "pa55word", "of the <db>")
    await desk.set_variable("settings", '{"token": "sesame", "a": 1}')
    await desk.set_variable("long", "x" * 1000)
    rows = {row["key"]: row for row in (await desk.find_variables())["rows"]}
    assert rows["db_password"]["value"] == "***"
    assert '"token": "***"' in rows["settings"]["value"]
    assert len(rows["long"]["value"]) == 201
    assert (await desk.find_variables(text="<DB>"))["count"] == 1


async def test_a_secret_variable_is_kept_unless_it_is_written_anew(desk: Desk) -> None:
    await desk.set_variable("db_password", "pa55word")
    form = await desk.variable_form("db_password")
    assert (form["secret"], form["value"]) == (True, "")
    await desk.edit_variable("db_password", "", "new words", keep=True)
    row = await desk.get_variable("db_password", reveal=True)
    assert (row["value"], row["description"]) == ("pa55word", "new words")
    await desk.edit_variable("db_password", "")
    assert (await desk.get_variable("db_password", reveal=True))["value"] == ""
    with pytest.raises(InvalidInput, match="could stay"):
        await desk.edit_variable("nothing", "", keep=True)
    with pytest.raises(Conflict, match="exists already"):
        await desk.edit_variable("db_password", "x", on_conflict="fail")


async def test_secrets_inside_json_survive_an_edit(desk: Desk) -> None:
    await desk.set_variable("settings", '{"token": "sesame", "a": 1}')
    form = await desk.variable_form("settings")
    assert (form["masked"], "sesame" in str(form)) == (True, False)
    await desk.edit_variable("settings", form["value"])
    assert (await desk.get_variable("settings", reveal=True))["value"] == '{"token": "sesame", "a": 1}'
    await desk.edit_variable("settings", form["value"].replace("1", "2"))
    assert (await desk.get_variable("settings", reveal=True))["value"] == '{\n  "token": "sesame",\n  "a": 2\n}'
    with pytest.raises(InvalidInput, match="nothing is stored"):
        await desk.edit_variable("settings", '{"token": "sesame", "password": "***"}')


@pytest.mark.parametrize(
    ("text", "shown"),
    [('{"a":1}', '{\n  "a": 1\n}'), ("[]", ""), ("[1]", "[\n  1\n]"), ("12", ""), ("{x", ""), ('{\n  "a": 1\n}', "")],
)
def test_json_is_shown_indented_when_that_adds_something(text: str, shown: str) -> None:
    assert pretty(text) == shown


async def test_an_import_says_first_what_it_will_do(desk: Desk) -> None:
    await desk.set_variable("a", "1")
    await desk.set_variable("b", "2")
    given = {"a": "1", "b": "3", "c": "4", "my_token": "t"}
    for on_conflict, expected in (
        ("overwrite", ["same", "replaced", "new", "new"]),
        ("skip", ["left", "left", "new", "new"]),
        ("fail", ["refused", "refused", "new", "new"]),
    ):
        rows = await desk.preview_variables(given, on_conflict)  # type: ignore[arg-type]
        assert [row["what"] for row in rows] == expected
        assert rows[3]["value"] == "***"
