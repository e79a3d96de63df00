"""Runs a few tries of a DAG of our own in the zygote, so that no task has to be the first to do anything.

Imports that happen on first use, caches (regular expressions, type hints, the template lexer) and the interpreter's
own specialising of code all land in memory that forks share; otherwise each task process would do them again, and copy
the pages it does them in.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime

from asyncflow.authoring.api import NoServer
from asyncflow.core.messages import RunContext, TryFinished, TryInfo, decode, encode

#: from the eighth call on the interpreter (3.11) has specialised a function
_ROUNDS = 10


def warm_up() -> None:
    """Leaves nothing behind but warm caches; stdout is quiet."""
    from asyncflow.authoring.dag import DAG
    from asyncflow.authoring.serialize import to_spec
    from asyncflow.operators.bash import BashOperator
    from asyncflow.operators.python import PythonOperator
    from asyncflow.worker.runner import run_try

    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG("warm_up", schedule=None, start_date=moment) as dag:
        hello = PythonOperator(task_id="hello", python_callable=_hello, op_args=["{{ ds }}"])
        hello >> BashOperator(task_id="bash", bash_command="true")
    to_spec(dag, file="warm_up.py")
    run = RunContext(
        run_id="manual__", logical_date=moment, data_interval_start=moment, data_interval_end=moment, run_after=moment
    )
    info = TryInfo(token="warm", dag_id=dag.dag_id, task_id=hello.task_id, run=run, log_path=os.devnull)
    for _ in range(_ROUNDS):
        result = run_try(hello, info, NoServer())
        decode(encode(TryFinished(token="warm", result=result, ended_at=datetime.now(UTC)))[4:])
    random.seed()


def _hello(day: str) -> str:
    return day
