"""What provider packages take from Airflow besides operators and hooks."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest

from asyncflow.airflow import provider_support as support
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.exceptions import AirflowTaskTimeout
from asyncflow.operators.python import PythonOperator
from asyncflow.testing.player import play


def test_the_facts_of_a_run_have_two_forms() -> None:
    seen: list[Any] = []
    with DAG("d", start_date=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), schedule=None) as dag:
        PythonOperator(
            task_id="t",
            owner="me",
            python_callable=lambda **context: seen.extend(
                support.context_to_airflow_vars(context, in_env_var_format=form) for form in (True, False)
            ),
        )
    assert play(dag, logs=False).state == "success"
    assert (seen[0]["AIRFLOW_CTX_DAG_ID"], seen[1]["airflow.ctx.dag_id"]) == ("d", "d")
    known = support.AIRFLOW_VAR_NAME_FORMAT_MAPPING.values()
    assert set(seen[0]) <= {forms["env_var_format"] for forms in known}
    assert set(seen[1]) <= {forms["default"] for forms in known}


def test_a_block_that_takes_too_long_is_left() -> None:
    with pytest.raises(AirflowTaskTimeout, match="too long"), support.timeout(0.01, "too long"):
        threading.Event().wait(5)
    with support.timeout(5):
        pass


def test_in_other_threads_there_is_no_limit() -> None:
    done: list[bool] = []

    def work() -> None:
        with support.timeout(0.001):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def test_lineage_and_listeners_are_taken_and_forgotten() -> None:
    collector = support.get_hook_lineage_collector()
    collector.add_input_asset(None, uri="s3://x")
    collector.add_output_dataset(None, uri="s3://x")
    collector.add_extra(None, "key", 1)
    assert collector.collected_assets == support.HookLineageReader().retrieve_hook_lineage()
    assert not collector.collected_assets.inputs
    support.get_listener_manager().add_listener(object())
    support.get_listener_manager().clear()
    assert not support.get_listener_manager().has_listeners


def test_marked_functions_stay_as_they_are() -> None:
    assert support.hookimpl(len) is len
    assert support.hookimpl(trylast=True)(len) is len


def test_dialects_are_those_of_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"package-name": "acme", "dialects": [{"dialect-type": "sql", "dialect-class-name": "acme.Dialect"}]}
    monkeypatch.setattr(support, "provider_infos", lambda: (said, {"package-name": "other"}))
    assert support.ProvidersManager().dialects == {"sql": ("sql", "acme.Dialect", "acme")}
