"""Variables, Connections, plugins on a real server: set from the command line, used by files and tasks, kept secret."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.server import until
from tests.acceptance.test_cli import CommandLine

pytestmark = pytest.mark.slow

PLUGIN = """
from airflow.plugins_manager import AirflowPlugin

def shout(text):
    return text.upper() + "!"

class Loud(AirflowPlugin):
    name = "loud"
    macros = [shout]
"""
MODULE = """
from airflow.hooks.base import BaseHook

class ShopHook(BaseHook):
    def password(self):
        return self.get_connection("shop").password
"""
FILE = """
from datetime import datetime

from airflow import DAG
from airflow.exceptions import AirflowNotFoundException
from airflow.hooks.base import BaseHook
from airflow.models import Variable
from airflow.notifications.basenotifier import BaseNotifier
from airflow.operators.bash import BashOperator
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import PythonOperator
from shop import ShopHook


class Tell(BaseNotifier):
    template_fields = ("message",)

    def __init__(self, message):
        super().__init__()
        self.message = message

    def notify(self, context):
        print("told:", self.message)


def use():
    print("the password is", ShopHook().password())
    print("the variable is", Variable.get("my_api_key"))


try:
    host = BaseHook.get_connection("shop").host
except AirflowNotFoundException:
    host = "nowhere"

with DAG("shop", start_date=datetime(2026, 1, 1), schedule=None, description=host) as dag:
    for name in Variable.get("names", default_var="one").split(","):
        EmptyOperator(task_id=f"for_{name}")
    PythonOperator(task_id="use", python_callable=use, on_success_callback=Tell("{{ ds }} {{ task.task_id }}"))
    BashOperator(
        task_id="render",
        bash_command="echo {{ macros.loud.shout('hi') }} {{ conn.shop.password }}",
        do_xcom_push=False,
    )
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    running = CommandLine(tmp_path_factory.mktemp("credentials"))
    plugins = running.home / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "loud.py").write_text(PLUGIN)
    (plugins / "shop.py").write_text(MODULE)
    with running:
        running.write("shop_dag.py", FILE)
        running.wait_for_dag("shop")
        yield running


def tasks_of(server: CommandLine) -> list[str]:
    return [task["task_id"] for task in server.call("get_dag", dag_id="shop")["tasks"]]


def test_a_file_that_reads_a_variable_or_connection_is_loaded_again_when_it_changes(server: CommandLine) -> None:
    assert tasks_of(server)[0] == "for_one"
    server.run("variables", "set", "names", "two,three")
    until(lambda: tasks_of(server)[:2] == ["for_two", "for_three"], "the DAG has the new tasks")
    server.run("variables", "delete", "names")
    until(lambda: tasks_of(server)[0] == "for_one", "the DAG has the old tasks")
    assert server.dag("shop")["description"] == "nowhere"
    server.run("connections", "add", "shop", "--conn-uri", "http://ann:correct-horse@shop.test")
    until(lambda: server.dag("shop")["description"] == "shop.test", "the DAG knows the host")


def test_secrets_are_used_but_never_shown(server: CommandLine) -> None:
    server.run("connections", "import", _file(server, '{"shop": "http://ann:correct-horse@shop.test"}'), "--overwrite")
    server.run("variables", "set", "my_api_key", "battery-staple")
    run = server.run_to_end("shop")
    assert run["state"] == "success"
    logs = {
        task: server.call("read_log", dag_id="shop", run_id=run["run_id"], task_id=task)["text"]
        for task in ("use", "render")
    }
    assert "the password is ***" in logs["use"]
    assert "the variable is ***" in logs["use"]
    assert "HI! ***" in logs["render"]
    assert f"told: {run['logical_date'][:10]} use" in logs["use"]
    for path in server.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"correct-horse" not in content, path
            assert b"battery-staple" not in content, path


def _file(server: CommandLine, text: str) -> str:
    path = server.home.parent / "connections.json"
    path.write_text(text)
    return str(path)


def test_the_commands_give_the_same_over_the_server(server: CommandLine) -> None:
    server.run("pools", "set", "small", "2", "for the database")
    assert server.json("pools", "get", "small")[0]["slots"] == 2
    server.run("variables", "set", "colour", "blue")
    assert server.run("variables", "get", "colour").stdout == "blue\n"
    assert "Did you mean 'colour'?" in server.run("variables", "get", "color", code=3).stderr
    assert "colour" in server.run("variables", "export", "-").stdout
    assert "correct-horse" not in server.run("connections", "list", "-o", "json").stdout
