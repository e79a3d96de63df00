"""`asyncflow test`, `dags test`, `tasks render`: here and now, no server, nothing written."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.server import environment

CLASSIC = """
import os
from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.bash_operator import BashOperator
from airflow.operators.python_operator import PythonOperator
from airflow.sensors.python import PythonSensor

def report(**context):
    print("param", context["params"].get("size"), "env", os.environ.get("PLACE"))

def fail():
    raise ValueError("told to fail")

def look():
    print("poked")
    return False

with DAG("classic", start_date=datetime(2024, 1, 1), schedule_interval="@daily", default_args={"retries": 0}) as dag:
    bash = BashOperator(task_id="bash", bash_command="echo hello from {{ ds }}", env={"DAY": "{{ ds_nodash }}"})
    python = PythonOperator(task_id="python", python_callable=report)
    PythonOperator(task_id="failing", python_callable=fail)
    BashOperator(task_id="wrong", bash_command="{{ nonsense.field }}")
    bash >> python

with DAG("waiting", start_date=datetime(2024, 1, 1), schedule_interval=None) as waiting:
    PythonSensor(task_id="sensor", python_callable=look, poke_interval=3600)

with DAG("green", start_date=datetime(2024, 1, 1), schedule_interval=None, default_args={"retries": 0}) as green:
    BashOperator(task_id="bash", bash_command="echo {{ dag_run.conf['word'] }}")
"""


class Terminal:
    """Runs `asyncflow` as a process of its own in a folder with `dags/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dags = root / "dags"
        self.dags.mkdir()
        (self.dags / "classic.py").write_text(CLASSIC)

    def __call__(
        self, *args: str, code: int = 0, input: str = "", traceback: bool = False
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "asyncflow", *args],
            cwd=self.root,
            env=environment(self.root / "home"),
            capture_output=True,
            text=True,
            timeout=50,
            input=input,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert ("Traceback" in done.stderr) <= traceback
        return done


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.mark.slow
def test_one_task_runs_with_its_log_on_the_terminal_and_writes_nothing(terminal: Terminal) -> None:
    done = terminal("test", "classic", "bash", "2024-01-02")
    assert "hello from 2024-01-02" in done.stdout
    assert not (terminal.root / "home").exists()


@pytest.mark.slow
def test_tasks_test_is_the_same_command(terminal: Terminal) -> None:
    assert "hello from 2024-01-02" in terminal("tasks", "test", "classic", "bash", "2024-01-02").stdout


@pytest.mark.slow
def test_failed_task_exits_1_with_its_error(terminal: Terminal) -> None:
    assert "failed: ValueError: told to fail" in terminal("test", "classic", "failing", "2024-01-02", code=1).stderr


@pytest.mark.slow
def test_sensor_pokes_once(terminal: Terminal) -> None:
    assert terminal("test", "waiting", "sensor", "2024-01-02").stdout.count("poked") == 1


@pytest.mark.slow
def test_params_and_environment_are_passed(terminal: Terminal) -> None:
    done = terminal("test", "classic", "python", "2024-01-02", "-t", '{"size": 3}', "--env-vars", '{"PLACE": "here"}')
    assert "param 3 env here" in done.stdout


@pytest.mark.slow
def test_debugger_gets_the_terminal(terminal: Terminal) -> None:
    (terminal.dags / "classic.py").write_text(CLASSIC.replace('print("param"', 'breakpoint(); print("param"'))
    done = terminal("test", "classic", "python", "2024-01-02", input="p 6 * 7\ncontinue\n")
    assert "(Pdb) 42" in done.stdout


@pytest.mark.slow
def test_noop_task_is_tested_fast(terminal: Terminal) -> None:
    """In processor time, which on an idle machine is the wall time, and does not depend on other tests."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        terminal("test", "classic", "python", "2024-01-02")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.5


@pytest.mark.slow
def test_wrong_names_offer_near_ones(terminal: Terminal) -> None:
    assert "Did you mean 'classic'?" in terminal("test", "clasic", "bash", code=3).stderr
    assert "Did you mean 'bash'?" in terminal("test", "classic", "bsh", code=3).stderr
    assert "There is no folder" in terminal("test", "classic", "bash", "--dags", "none", code=2).stderr


@pytest.mark.slow
def test_broken_file_is_named_with_its_line(terminal: Terminal) -> None:
    (terminal.dags / "broken.py").write_text('from airflow import DAG\nDAG("broken"\n')
    assert "broken.py, line 2" in terminal("test", "broken", "task", code=1, traceback=True).stderr


@pytest.mark.slow
def test_broken_neighbours_are_passed_over(terminal: Terminal) -> None:
    (terminal.dags / "a_exit.py").write_text("import sys  # airflow dag\nsys.exit(3)\n")
    assert "hello from" in terminal("test", "classic", "bash", "2024-01-02").stdout
    assert "Passed over: a_exit.py" in terminal("test", "unknown", "bash", code=3).stderr


@pytest.mark.slow
def test_dag_of_a_factory_is_found_though_no_text_names_it(terminal: Terminal) -> None:
    (terminal.dags / "factory.py").write_text(
        "from airflow import DAG\nfrom airflow.operators.empty import EmptyOperator\n"
        "for n in range(3):\n    with DAG(f'made_{n}') as dag:\n        EmptyOperator(task_id='t')\n"
        "    globals()[dag.dag_id] = dag\n"
    )
    terminal("test", "made_2", "t")


@pytest.mark.slow
def test_one_file_may_be_named_instead_of_the_folder(terminal: Terminal) -> None:
    assert "hello" in terminal("test", "classic", "bash", "--dags", "dags/classic.py").stdout


@pytest.mark.slow
def test_whole_run_as_json_has_stdout_for_itself(terminal: Terminal) -> None:
    done = terminal("dags", "test", "classic", "2024-01-02", "-o", "json", code=1, traceback=True)
    result = json.loads(done.stdout)
    assert result["state"] == "failed"
    assert result["tasks"]["bash"] == "success"
    assert result["tasks"]["failing"] == "failed"
    assert set(result) == {"state", "tasks"}


@pytest.mark.slow
def test_whole_run_takes_conf_and_exits_0_when_green(terminal: Terminal) -> None:
    done = terminal("dags", "test", "green", "2024-01-02", "-c", '{"word": "banana"}')
    assert "banana" in done.stdout
    assert "manual__2024-01-02T00:00:00+00:00: success" in done.stdout
    assert not (terminal.root / "home").exists()
    assert "is not a date" in terminal("dags", "test", "green", "soon", code=2).stderr


@pytest.mark.slow
def test_render_shows_fields_and_runs_nothing(terminal: Terminal) -> None:
    done = terminal("tasks", "render", "classic", "bash", "2024-01-02", "-o", "json")
    fields = json.loads(done.stdout)
    assert fields["bash_command"] == "echo hello from 2024-01-02"
    assert fields["env"] == {"DAY": "20240102"}
    assert "echo hello" in terminal("test", "classic", "bash", "2024-01-02", "--dry-run").stdout


@pytest.mark.slow
def test_template_that_cannot_be_rendered_is_a_sentence(terminal: Terminal) -> None:
    assert "cannot be rendered: UndefinedError" in terminal("tasks", "render", "classic", "wrong", code=1).stderr
