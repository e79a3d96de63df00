"""DAG: keywords, dates, schedule, defaults, ids, and what it says about wrong ones."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pendulum
import pytest

from asyncflow import DAG, dag
from asyncflow.authoring.conf import conf
from asyncflow.authoring.current import collecting, dags_of
from asyncflow.authoring.exceptions import DuplicateTaskIdFound, TaskNotFound
from asyncflow.errors import InvalidDag
from asyncflow.operators.empty import EmptyOperator
from tests.authoring.files import run_file

START = dt.datetime(2024, 1, 1)


def test_context_manager_collects_tasks_in_order_of_creation() -> None:
    with DAG("d", start_date=START) as made:
        EmptyOperator(task_id="b")
        EmptyOperator(task_id="a")
    assert made.task_ids == ["b", "a"]
    assert made.get_task("a").dag is made


def test_unknown_keyword_is_named_with_its_nearest() -> None:
    with pytest.raises(
        TypeError, match=r"DAG 'd' does not know the argument 'schedule_intervall' \(did you mean 'schedule"
    ):
        DAG("d", schedule_intervall="@daily", start_date=START)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"start_date": "2024-01-01"}, "start_date must be datetime, not str"),
        ({"catchup": "yes"}, "catchup must be bool, not str"),
        ({"tags": "one"}, "tags must be a list of texts"),
        ({"dagrun_timeout": 5}, "dagrun_timeout must be timedelta"),
        ({"default_args": {"start_date": 5}}, "start_date in default_args must be a datetime"),
    ],
)
def test_argument_of_wrong_type_is_refused_with_a_sentence(kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        DAG("d", **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"dag_id": "a b"}, "dag_id 'a b' is not allowed"),
        ({"dag_id": "x" * 251}, "251 characters"),
        ({"default_view": "pie"}, "default_view must be one of"),
        ({"orientation": "up"}, "orientation must be one of"),
        ({"owner_links": {"me": "ftp://x"}}, "neither http"),
        ({"max_consecutive_failed_dag_runs": -1}, "must not be below 0"),
        ({"schedule": "@continuous", "start_date": START}, "requires max_active_runs <= 1"),
        ({"tags": ["x" * 101]}, "at most 100 characters"),
    ],
)
def test_wrong_value_is_invalid_dag_that_knows_its_line(kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidDag, match=text) as caught:
        DAG(**{"dag_id": "d", **kwargs})
    assert caught.value.where is not None
    assert caught.value.where[0] == __file__


def test_schedule_without_start_date_is_refused() -> None:
    with pytest.raises(ValueError, match="DAG is missing the start_date parameter"):
        DAG("d", schedule="@daily")


def test_only_one_of_the_schedule_arguments_may_be_given() -> None:
    with pytest.raises(ValueError, match="only one of schedule and schedule_interval"):
        DAG("d", schedule="@daily", schedule_interval="@daily", start_date=START)


@pytest.mark.parametrize("name", ["schedule", "schedule_interval"])
def test_schedule_has_two_names(name: str) -> None:
    made = DAG("d", start_date=START, **{name: "@daily"})
    assert made.timetable.summary == "0 0 * * *"
    assert made.schedule_interval == "@daily"


def test_omitted_schedule_is_daily_and_none_is_none() -> None:
    assert DAG("d", start_date=START).timetable.summary == "1 day, 0:00:00"
    assert DAG("d", start_date=START, schedule=None).timetable.summary == "None"


def test_sdk_file_gets_trigger_timetables_and_no_default_schedule(tmp_path: Path) -> None:
    text = """
from asyncflow import DAG
from pendulum import datetime
a = DAG("a", schedule="0 3 * * *", start_date=datetime(2024, 1, 1))
b = DAG("b", start_date=datetime(2024, 1, 1))
"""
    guarded = "try:\n    import airflow.sdk\nexcept ImportError: ...\n"
    sdk, old = run_file(tmp_path / "three.py", guarded + text), run_file(tmp_path / "two.py", text)
    assert type(sdk["a"].timetable).__name__ == "CronTriggerTimetable"
    assert sdk["b"].timetable.summary == "None"
    assert type(old["a"].timetable).__name__ == "CronDataIntervalTimetable"
    assert (sdk["a"].dialect, old["a"].dialect) == (3, 2)


def test_zone_comes_from_the_start_date() -> None:
    zone = pendulum.timezone("Europe/Amsterdam")
    assert DAG("d", start_date=pendulum.datetime(2024, 1, 1, tz="Europe/Amsterdam")).timezone == zone
    assert DAG("d", default_args={"start_date": dt.datetime(2024, 1, 1, tzinfo=zone)}).timezone == zone
    assert DAG("d", start_date=START).timezone.name == "UTC"


def test_naive_dates_are_read_in_the_default_zone() -> None:
    conf.load({"core.default_timezone": "Asia/Tokyo"})
    try:
        assert DAG("d", start_date=START).start_date == pendulum.datetime(2023, 12, 31, 15)
    finally:
        conf.load({})


def test_start_date_text_in_default_args_is_understood() -> None:
    with DAG("d", default_args={"start_date": "2024-01-02", "end_date": "2024-02-01"}):
        task = EmptyOperator(task_id="a")
    assert (task.start_date, task.end_date) == (pendulum.datetime(2024, 1, 2), pendulum.datetime(2024, 2, 1))


def test_task_dates_lie_within_those_of_the_dag() -> None:
    late, early = dt.datetime(2024, 6, 1), dt.datetime(2023, 1, 1)
    with DAG("d", start_date=START, end_date=dt.datetime(2024, 12, 1)):
        one = EmptyOperator(task_id="one", start_date=late, end_date=dt.datetime(2025, 1, 1))
        two = EmptyOperator(task_id="two", start_date=early, end_date=dt.datetime(2024, 7, 1))
    assert (one.start_date, one.end_date) == (pendulum.datetime(2024, 6, 1), pendulum.datetime(2024, 12, 1))
    assert (two.start_date, two.end_date) == (pendulum.datetime(2024, 1, 1), pendulum.datetime(2024, 7, 1))


def test_limits_of_dags_that_do_not_say_come_from_the_settings() -> None:
    conf.load({"core.max_active_runs_per_dag": "3", "scheduler.catchup_by_default": "true"})
    try:
        made = DAG("d", start_date=START, concurrency=4)
    finally:
        conf.load({})
    assert (made.max_active_runs, made.catchup, made.max_active_tasks, made.concurrency) == (3, True, 4, 4)
    assert DAG("e", start_date=START).catchup is False


def test_params_in_default_args_become_params_of_the_dag() -> None:
    made = DAG("d", params={"a": 1}, default_args={"params": {"b": 2}, "retries": 1})
    assert made.params == {"a": 1, "b": 2}
    assert made.default_args == {"retries": 1}


def test_second_task_of_an_id_is_refused_naming_the_line_of_the_first() -> None:
    with DAG("d", start_date=START):
        EmptyOperator(task_id="a")
        with pytest.raises(
            DuplicateTaskIdFound, match=r"Task id 'a' has already been added .*test_dag.py, line \d+"
        ) as caught:
            EmptyOperator(task_id="a")
    assert caught.value.where is not None
    assert caught.value.where[0] == __file__


def test_task_that_is_not_there_is_not_found() -> None:
    with pytest.raises(TaskNotFound, match="Task x not found"):
        DAG("d").get_task("x")


def test_doc_md_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "about.md").write_text("# About")
    assert DAG("d", doc_md=str(tmp_path / "about.md")).doc_md == "# About"
    assert DAG("d", doc_md="missing.md").doc_md == "missing.md"


def test_decorator_makes_a_dag_with_params_of_the_function() -> None:
    @dag(start_date=START, tags=["x"])
    def my_dag(count: int = 3) -> None:
        """What it does."""
        EmptyOperator(task_id="a")

    made = my_dag(count=5)
    assert (made.dag_id, made.doc_md, made.task_ids) == ("my_dag", "What it does.", ["a"])
    assert made.params == {"count": 5}


def test_decorator_works_without_parentheses() -> None:
    @dag
    def plain() -> None:
        EmptyOperator(task_id="a")

    assert plain().dag_id == "plain"


def test_file_gives_its_global_and_its_registered_dags_once_each(tmp_path: Path) -> None:
    text = """
from asyncflow import DAG, dag
from asyncflow.operators.empty import EmptyOperator

one = DAG("one")

def factory():
    with DAG("two"):
        EmptyOperator(task_id="a")
    DAG("unseen")
    with DAG("private", auto_register=False):
        pass

factory()

@dag
def three():
    EmptyOperator(task_id="a")

three()
for i in range(2):
    globals()[f"made_{i}"] = DAG(f"four_{i}")
"""
    with collecting() as registered:
        names = run_file(tmp_path / "f.py", text)
    module = type("Module", (), names)
    assert [found.dag_id for found in dags_of(module, registered)] == ["one", "two", "three", "four_0", "four_1"]  # type: ignore[arg-type]


def test_import_that_fails_inside_a_block_leaves_no_dag_open() -> None:
    def import_it() -> None:
        with collecting():
            DAG("open").__enter__()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        import_it()
    with collecting():
        task = EmptyOperator(task_id="alone")
    assert task.dag is None


def test_schedule_questions() -> None:
    made = DAG("d", schedule="@daily", start_date=START, end_date=dt.datetime(2024, 1, 3), catchup=True)
    day = pendulum.datetime(2024, 1, 1)
    assert made.following_schedule(day) == day.add(days=1)
    assert made.previous_schedule(day) == day.subtract(days=1)
    first = made.next_dagrun_info(None)
    assert first is not None
    assert first.logical_date == day
    infos = list(made.iter_dagrun_infos_between(None, pendulum.datetime(2024, 1, 3)))
    assert [info.logical_date.day for info in infos] == [1, 2, 3]


def test_schedules_without_ticks_answer_as_well() -> None:
    made = DAG("d", schedule=None)
    assert made.previous_schedule(START) is None
    assert made.following_schedule(START) is None
    assert list(made.iter_dagrun_infos_between(None, START)) == []


def test_tree_shows_tasks_under_their_upstreams(capsys: pytest.CaptureFixture[str]) -> None:
    with DAG("d") as made:
        EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")
    made.tree_view()
    assert capsys.readouterr().out == "<Task(EmptyOperator): a>\n    <Task(EmptyOperator): b>\n"


def test_template_environment_has_macros_filters_and_search_path(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("select {{ shout(1) }} {{ 2 | twice }}")
    made = DAG(
        "d",
        template_searchpath=str(tmp_path),
        user_defined_macros={"shout": lambda x: f"{x}!"},
        user_defined_filters={"twice": lambda x: x * 2},
    )
    assert made.get_template_env().get_template("q.sql").render() == "select 1! 4"


def test_subset_keeps_upstream_and_cuts_the_rest() -> None:
    with DAG("d") as made:
        a, b, c, e = (EmptyOperator(task_id=name) for name in "abce")
        a >> b >> c
        a >> e
    part = made.partial_subset("^b$")
    assert part.task_ids == ["a", "b"]
    assert part.get_task("a").downstream_task_ids == {"b"}
    assert made.get_task("a").downstream_task_ids == {"b", "e"}
    assert part.get_task("b").dag is part
    assert made.partial_subset(["b"], include_upstream=False, include_downstream=True).task_ids == ["b", "c"]
    assert made.partial_subset(["c"], include_upstream=False, include_direct_upstream=True).task_ids == ["b", "c"]
