"""BashOperator with real bash."""

from __future__ import annotations

import datetime as dt
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from asyncflow import DAG
from asyncflow.core.messages import TryResult
from asyncflow.hooks.subprocess import SubprocessHook, descendants
from asyncflow.operators.bash import BashOperator
from asyncflow.testing.player import play, run_one


def run(**kwargs: Any) -> TryResult:
    with DAG("d", start_date=dt.datetime(2024, 1, 1), default_args={"email": ["a@x.org"]}) as dag:
        BashOperator(task_id="bash", **kwargs)
    return run_one(dag, "bash", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), logs=False)


def value(**kwargs: Any) -> Any:
    result = run(**kwargs)
    assert result.outcome == "success", result.error
    return result.xcoms.get("return_value")


def test_last_line_of_the_output_is_the_xcom() -> None:
    assert value(bash_command="echo one; echo two >&2") == '"two"'
    assert value(bash_command="true") == '""'
    assert value(bash_command="echo x", do_xcom_push=False) is None
    assert value(bash_command="echo x", xcom_push=False) is None


def test_output_is_processed_and_decoded() -> None:
    assert value(bash_command="echo 41", output_processor=lambda text: int(text) + 1) == "42"
    assert value(bash_command=r"printf '\xe9'", output_encoding="latin-1") == r'"\u00e9"'
    assert value(bash_command=r"printf '\xe9'") == r'"\\xe9"'


def test_command_and_environment_are_templates() -> None:
    assert value(bash_command="echo {{ ds }} $DAY", env={"DAY": "{{ ds_nodash }}"}) == '"2024-01-01 20240101"'


def test_environment_replaces_or_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "seen")
    assert value(bash_command="echo $FROM_OUTSIDE") == '"seen"'
    assert value(bash_command="echo -$FROM_OUTSIDE-$OWN", env={"OWN": "1"}) == '"--1"'
    assert value(bash_command="echo $FROM_OUTSIDE-$OWN", env={"OWN": "1"}, append_env=True) == '"seen-1"'


def test_command_is_told_of_its_run() -> None:
    text = value(
        bash_command="echo $AIRFLOW_CTX_DAG_ID $AIRFLOW_CTX_TASK_ID $AIRFLOW_CTX_TRY_NUMBER $AIRFLOW_CTX_DAG_EMAIL"
    )
    assert text == '"d bash 1 a@x.org"'


@pytest.mark.parametrize(
    ("code", "kwargs", "outcome"),
    [
        (0, {}, "success"),
        (1, {}, "failed"),
        (99, {}, "skipped"),
        (99, {"skip_on_exit_code": None}, "failed"),
        (5, {"skip_on_exit_code": 5}, "skipped"),
        (6, {"skip_on_exit_code": [5, 6]}, "skipped"),
        (7, {"skip_exit_code": 7}, "skipped"),
    ],
)
def test_exit_code_decides(code: int, kwargs: dict[str, Any], outcome: str) -> None:
    assert run(bash_command=f"exit {code}", **kwargs).outcome == outcome


def test_failure_names_the_exit_code() -> None:
    assert run(bash_command="exit 3").error == (
        "AirflowException: Bash command failed. The command returned a non-zero exit code 3."
    )


def test_working_folder(tmp_path: Path) -> None:
    assert value(bash_command="pwd", cwd=str(tmp_path)) == f'"{tmp_path}"'
    assert "asyncflow-task-" in value(bash_command="pwd")
    (tmp_path / "file").touch()
    assert "does not exist" in str(run(bash_command="pwd", cwd=str(tmp_path / "no")).error)
    assert "is no folder" in str(run(bash_command="pwd", cwd=str(tmp_path / "file")).error)


def test_script_is_a_template_file_beside_the_dag(tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text("#!/bin/bash\necho {{ ds }} $0\n")
    with DAG("d", start_date=dt.datetime(2024, 1, 1), template_searchpath=[str(tmp_path)]) as dag:
        BashOperator(task_id="a", bash_command="job.sh")
        BashOperator(task_id="b", bash_command=f"bash {tmp_path}/job.sh ")
    result = play(dag, dt.datetime(2024, 1, 1, tzinfo=dt.UTC), logs=False)
    assert result.xcoms["a"]["return_value"].startswith("2024-01-01 ")
    assert result.xcoms["a"]["return_value"].endswith(".sh")
    assert result.state == "success"


def test_script_may_be_longer_than_an_argument(tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text("# " + "x" * 300_000 + "\necho done\n")
    with DAG("d", template_searchpath=str(tmp_path)) as dag:
        BashOperator(task_id="a", bash_command="job.sh")
    assert play(dag, logs=False).xcoms["a"]["return_value"] == "done"


@pytest.mark.slow
def test_timeout_ends_the_command_and_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    result = run(
        bash_command=f"echo $$ > {pids}; sleep 60 & echo $! >> {pids}; wait",
        execution_timeout=dt.timedelta(seconds=0.5),
    )
    assert "AirflowTaskTimeout" in str(result.error)
    bash, sleep = (int(line) for line in pids.read_text().split())
    assert ended(sleep)
    assert ended(bash)


def ended(pid: int) -> bool:
    """Has it ended, or does it within five seconds?"""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with open(process):
        return bool(select.select([process], [], [], 5)[0])


def test_command_is_in_the_process_group_of_the_task() -> None:
    assert value(bash_command="ps -o pgid= -p $$ | tr -d ' '") == f'"{os.getpgrp()}"'


def test_descendants_are_found_at_any_depth() -> None:
    process = subprocess.Popen(
        ["bash", "-c", "bash -c 'echo up; read'; true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(descendants(process.pid)) == 1
    finally:
        process.communicate(b"\n", timeout=5)


def test_nothing_is_sent_when_nothing_runs() -> None:
    hook = SubprocessHook()
    hook.send_sigterm()
    hook.run_command(["true"])
    hook.send_sigterm()
    assert hook.sub_process is not None
    assert hook.sub_process.returncode != -signal.SIGTERM
