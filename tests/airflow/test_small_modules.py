"""What DAG files take from `airflow.utils.*`, `airflow.configuration` and their like."""

from __future__ import annotations

import datetime as dt
import functools
import io
import logging
import os
import subprocess
from typing import Any

import pytest
from dateutil.relativedelta import relativedelta

from asyncflow.airflow import configured, dates, functions, parsing, states, yaml_names
from asyncflow.airflow.logging_mixin import LoggingMixin
from asyncflow.authoring.plugins import AirflowPlugin
from asyncflow.core.states import TaskState

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


# ---- dates ----------------------------------------------------------------------------------------------------------


def test_days_ago_is_midnight_utc() -> None:
    moment = dates.days_ago(2)
    assert (moment.hour, moment.minute, moment.timezone_name) == (0, 0, "UTC")
    assert dates.days_ago(0, hour=5) - dates.days_ago(1) == DAY + dt.timedelta(hours=5)
    assert dates.parse_execution_date("2024-01-01T00:00:00+00:00") == START


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"num": 3, "delta": DAY}, [START, START + DAY, START + 2 * DAY]),
        ({"num": -3, "delta": DAY}, [START - 2 * DAY, START - DAY, START]),
        ({"end_date": START + DAY, "delta": DAY}, [START, START + DAY]),
        ({"num": 2, "delta": relativedelta(months=1)}, [START, START + relativedelta(months=1)]),
        ({"num": 2, "delta": "@daily"}, [START, START + DAY]),
        ({"num": -2, "delta": "0 0 * * *"}, [START - DAY, START]),
        ({"end_date": START + DAY, "delta": "0 12 * * *"}, [START + DAY / 2]),
        ({"num": 2}, []),
    ],
)
def test_ranges_of_dates(arguments: dict[str, Any], expected: list[dt.datetime]) -> None:
    assert dates.date_range(START, **arguments) == expected


@pytest.mark.parametrize(
    "arguments", [{"end_date": START - DAY, "delta": DAY}, {"end_date": START + DAY, "num": 1, "delta": DAY}]
)
def test_contradictory_ranges_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Wait"):
        dates.date_range(START, **arguments)


def test_times_are_rounded_to_multiples() -> None:
    moment = START + dt.timedelta(hours=14)
    assert dates.round_time(moment, DAY) == START + DAY
    assert dates.round_time(moment, relativedelta(days=1), START) == START + DAY
    assert dates.round_time(START + dt.timedelta(hours=2), relativedelta(days=1), START) == START


@pytest.mark.parametrize(
    ("seconds", "unit"),
    [([], "hours"), ([100], "seconds"), ([130, 7200], "minutes"), ([7300], "hours"), ([200000], "days")],
)
def test_durations_get_a_readable_unit(seconds: list[float], unit: Any) -> None:
    assert dates.infer_time_unit(seconds) == unit
    assert dates.scale_time_units([86400.0], "hours") == [24.0]


# ---- functions ------------------------------------------------------------------------------------------------------


def test_lists_and_dicts() -> None:
    assert functions.as_flattened_list([[1, 2], 3, "ab"]) == [1, 2, 3, "ab"]
    assert functions.merge_dicts({"a": {"x": 1}, "b": 1}, {"a": {"y": 2}, "b": 2}) == {"a": {"x": 1, "y": 2}, "b": 2}
    assert functions.prune_dict({"a": None, "b": {"c": None, "d": 0}, "e": [None, 1]}) == {"b": {"d": 0}, "e": [1]}
    assert functions.prune_dict({"a": 0, "b": [], "c": 1}, mode="truthy") == {"c": 1}
    with pytest.raises(ValueError, match="mode"):
        functions.prune_dict({}, mode="wild")
    assert [list(chunk) for chunk in functions.chunks([1, 2, 3], 2)] == [[1, 2], [3]]
    with pytest.raises(ValueError, match="positive"):
        list(functions.chunks([1], 0))


def test_counting_truths() -> None:
    assert functions.exactly_one(True, 0, None)
    assert not functions.exactly_one(True, True)
    assert functions.at_most_one(0, None)
    with pytest.raises(ValueError, match="iterable"):
        functions.exactly_one([1])


def test_decorators_that_do_nothing_keep_the_function() -> None:
    def work(x: int, session: Any = None) -> tuple[int, Any]:
        return x, session

    assert functions.apply_defaults(work) is work
    assert functions.provide_session(work)(1) == (1, None)


def test_names_and_objects() -> None:
    assert functions.import_string("json.dumps") is __import__("json").dumps
    for wrong in ("json", "json.nothing"):
        with pytest.raises(ImportError):
            functions.import_string(wrong)
    assert functions.qualname(functools.partial(functions.chunks)) == "asyncflow.airflow.functions.chunks"
    assert functions.qualname(5) == "builtins.int"


@pytest.mark.parametrize(("text", "value"), [("Yes", True), ("1", True), ("off", False), (None, False)])
def test_words_of_truth(text: str | None, value: bool) -> None:
    assert functions.to_boolean(text) is value


def test_random_texts_and_folders(tmp_path: Any) -> None:
    assert len(functions.get_random_string(5)) == 5
    functions.mkdirs(str(tmp_path / "a" / "b"), 0o755)
    assert (tmp_path / "a" / "b").is_dir()


def test_commands_are_logged_and_checked(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        functions.execute_in_subprocess(["sh", "-c", "echo out; echo err >&2"])
    assert {"out", "err"} <= set(caplog.messages)
    with pytest.raises(subprocess.CalledProcessError):
        functions.execute_in_subprocess(["false"])


# ---- the rest -------------------------------------------------------------------------------------------------------


def test_states_are_the_cores_with_airflows_names() -> None:
    assert states.TaskInstanceState is TaskState
    assert states.State.NONE is None
    assert TaskState.SUCCESS in states.State.finished
    assert None in states.State.unfinished
    assert states.TriggerRule.NONE_FAILED_OR_SKIPPED == "none_failed_or_skipped"
    assert states.TriggerRule.is_valid("all_done")
    assert not states.TriggerRule.is_valid("most_done")
    assert states.WeightRule.is_valid("upstream")


def test_old_trigger_rules_work_on_tasks() -> None:
    from asyncflow.operators.empty import EmptyOperator

    task = EmptyOperator(task_id="t", trigger_rule=states.TriggerRule.NONE_FAILED_OR_SKIPPED)
    assert task.trigger_rule == "none_failed_min_one_success"


def test_settings_can_be_asked_for_at_module_level() -> None:
    assert configured.getint("core", "max_map_length") == 1024
    assert configured.TIMEZONE.name == "UTC"
    assert configured.DAGS_FOLDER == "dags"
    with pytest.raises(AttributeError):
        _ = configured.NOTHING
    with configured.Stats.timer("x"):
        configured.Stats.incr("y")


def test_yaml_is_read_and_written() -> None:
    assert yaml_names.safe_load("a: [1]") == {"a": [1]}
    assert yaml_names.dump({"a": 1}) == "a: 1\n"
    assert issubclass(yaml_names.YAMLError, Exception)


def test_parsing_is_never_narrowed_down() -> None:
    assert parsing.get_parsing_context() == (None, None)


def test_plugins_need_a_name() -> None:
    class Mine(AirflowPlugin):
        name = "mine"

    Mine.validate()
    with pytest.raises(ValueError, match="name"):
        AirflowPlugin.validate()


def test_the_logging_mixin_names_its_class() -> None:
    class Mine(LoggingMixin):
        pass

    class Named(LoggingMixin):
        _logger_name = "own"
        _log_config_logger_name = "airflow.task"

    assert Mine().log.name.endswith("Mine")
    assert Named().log.name == Named.logger().name == "airflow.task.own"


def test_modules_of_a_package_are_named() -> None:
    import asyncflow.airflow

    assert "asyncflow.airflow.functions" in list(functions.iter_namespace(asyncflow.airflow))
    assert [functions.is_valid_dotpath(path) for path in ("a.b_c", "a-b", "", "a..b")] == [True, False, False, False]


def test_who_runs_this_is_named_also_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert functions.getuser() == "ada"

    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert functions.getuser() == str(os.getuid())


def test_output_that_nobody_watches_has_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert not functions.is_tty()
    assert not functions.is_terminal_support_colors()
