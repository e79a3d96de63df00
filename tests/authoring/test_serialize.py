"""to_spec: everything a DAG says arrives; equal DAGs give equal bytes; what cannot run is refused."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pendulum
import pytest

from asyncflow import DAG, Label, Param, TaskGroup, task, task_group
from asyncflow.authoring.conf import conf
from asyncflow.authoring.dataset import Dataset
from asyncflow.authoring.exceptions import AirflowDagCycleException, ParamValidationError
from asyncflow.authoring.serialize import to_spec
from asyncflow.authoring.timetables import DatasetOrTimeSchedule, Timetable
from asyncflow.authoring.weights import PriorityWeightStrategy
from asyncflow.core import timetable as timetables
from asyncflow.core.specs import DagSpec, ExpandSpec, LiteralInput, TaskSpec, XComInput
from asyncflow.core.states import TriggerRule
from asyncflow.errors import InvalidDag, InvalidTimetable
from asyncflow.operators.bash import BashOperator
from asyncflow.operators.empty import EmptyOperator
from asyncflow.operators.python import PythonOperator
from asyncflow.sensors.python import PythonSensor

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def call_back(context: Any) -> None: ...


def test_dag_level_arguments_arrive() -> None:
    made = DAG(
        "d",
        description="what",
        schedule="0 3 * * *",
        start_date=pendulum.datetime(2024, 1, 1, tz="Europe/Amsterdam"),
        end_date=dt.datetime(2025, 1, 1),
        catchup=True,
        max_active_runs=2,
        max_active_tasks=3,
        max_consecutive_failed_dag_runs=4,
        dagrun_timeout=dt.timedelta(hours=1),
        is_paused_upon_creation=False,
        render_template_as_native_obj=True,
        sla_miss_callback=call_back,
        on_failure_callback=[call_back],
        params={"n": Param(3, type="integer", description="how many"), "x": None},
        owner_links={"me": "https://example.org"},
        access_control={"role": {"can_read", "can_edit"}},
        tags=["b", "a"],
        doc_md="# doc",
        dag_display_name="Dee",
        default_view="graph",
        orientation="TB",
        fail_stop=True,
    )
    with made:
        EmptyOperator(task_id="t", owner="me")
    spec = to_spec(made, file="a/b.py")
    assert (spec.dag_id, spec.file, spec.dialect, spec.display_name, spec.description) == (
        "d",
        "a/b.py",
        2,
        "Dee",
        "what",
    )
    assert spec.timetable == timetables.CronIntervalTimetable(expression="0 3 * * *", timezone="Europe/Amsterdam")
    assert (spec.schedule_text, spec.timezone) == ("0 3 * * *", "Europe/Amsterdam")
    assert (spec.start_date, spec.end_date) == (
        dt.datetime(2023, 12, 31, 23, tzinfo=dt.UTC),
        dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
    )
    assert (spec.max_active_runs, spec.max_active_tasks, spec.max_consecutive_failed_dag_runs) == (2, 3, 4)
    assert (spec.catchup, spec.fail_fast, spec.render_template_as_native_obj, spec.sla_miss_callback) == (True,) * 4
    assert (spec.is_paused_upon_creation, spec.dagrun_timeout) == (False, dt.timedelta(hours=1))
    assert (spec.callbacks, spec.tags, spec.owner, spec.doc_md) == ({"failure"}, ("a", "b"), "me", "# doc")
    assert spec.params["n"].schema == {"type": "integer"}
    assert (spec.params["n"].value, spec.params["n"].description, spec.params["x"].value) == (3, "how many", None)
    assert spec.access_control == {"role": ["can_edit", "can_read"]}
    assert (spec.owner_links, spec.extra) == (
        {"me": "https://example.org"},
        {"default_view": "graph", "orientation": "TB"},
    )


def test_task_level_arguments_arrive() -> None:
    with DAG("d", start_date=START) as made:
        first = BashOperator(
            task_id="first",
            bash_command="echo",
            owner="me",
            retries=2,
            retry_delay=7,
            retry_exponential_backoff=True,
            max_retry_delay=70,
            execution_timeout=dt.timedelta(minutes=1),
            depends_on_past=True,
            wait_for_downstream=True,
            ignore_first_depends_on_past=False,
            wait_for_past_depends_before_skipping=True,
            pool="p",
            pool_slots=2,
            priority_weight=5,
            weight_rule="upstream",
            queue="q",
            executor="local",
            max_active_tis_per_dag=3,
            max_active_tis_per_dagrun=4,
            do_xcom_push=False,
            sla=dt.timedelta(hours=2),
            email="a@x.org; b@x.org",
            email_on_retry=False,
            on_success_callback=call_back,
            on_execute_callback=call_back,
            inlets=Dataset("s3://in"),
            outlets=[Dataset("s3://out", extra={"k": 1})],
            params={"p": 1},
            doc_md="doc",
            task_display_name="The First",
            run_as_user="me",
        )
        first >> Label("then") >> EmptyOperator(task_id="second", trigger_rule="all_done")
    spec = to_spec(made).tasks["first"]
    assert spec == TaskSpec(
        task_id="first",
        operator="BashOperator",
        task_module="asyncflow.operators.bash",
        task_display_name="The First",
        label="first",
        owner="me",
        downstream=("second",),
        edge_labels={"second": "then"},
        retries=2,
        retry_delay=dt.timedelta(seconds=7),
        retry_exponential_backoff=2.0,
        max_retry_delay=dt.timedelta(seconds=70),
        execution_timeout=dt.timedelta(minutes=1),
        depends_on_past=True,
        wait_for_downstream=True,
        ignore_first_depends_on_past=False,
        wait_for_past_depends_before_skipping=True,
        start_date=START,
        pool="p",
        pool_slots=2,
        priority_weight=5,
        own_priority_weight=5,
        weight_rule="upstream",
        queue="q",
        executor="local",
        max_active_tis_per_dag=3,
        max_active_tis_per_dagrun=4,
        do_xcom_push=False,
        sla=dt.timedelta(hours=2),
        email=("a@x.org", "b@x.org"),
        email_on_retry=False,
        callbacks=frozenset({"success", "execute"}),
        inlets=({"uri": "s3://in"},),
        outlets=({"uri": "s3://out", "extra": {"k": 1}},),
        template_fields=("bash_command", "env", "cwd"),
        params={"p": 1},
        doc_md="doc",
        ui_color="#f0ede4",
        extra={"bash_command": "echo", "run_as_user": "me"},
    )
    assert to_spec(made).tasks["second"].trigger_rule is TriggerRule.ALL_DONE


def test_attributes_changed_after_creation_arrive() -> None:
    with DAG("d") as made:
        one = EmptyOperator(task_id="a")
    one.retries = 5
    one.pool = "late"
    made.max_active_runs = 1
    spec = to_spec(made)
    assert (spec.tasks["a"].retries, spec.tasks["a"].pool, spec.max_active_runs) == (5, "late", 1)


def test_start_date_of_the_tasks_counts_when_the_dag_has_none() -> None:
    with DAG("d", default_args={"start_date": dt.datetime(2024, 2, 1)}) as made:
        EmptyOperator(task_id="a")
        EmptyOperator(task_id="b", start_date=dt.datetime(2024, 1, 5), end_date=dt.datetime(2024, 3, 1))
    assert to_spec(made).start_date == dt.datetime(2024, 1, 5, tzinfo=dt.UTC)
    assert to_spec(made).end_date is None


def test_total_weights_follow_the_rule() -> None:
    class Doubled(PriorityWeightStrategy):
        def get_weight(self, ti: Any) -> int:
            return 2 * int(ti.task.priority_weight)

    with DAG("d") as made:
        a = EmptyOperator(task_id="a", priority_weight=1)
        b = EmptyOperator(task_id="b", priority_weight=10, weight_rule="upstream")
        c = EmptyOperator(task_id="c", priority_weight=100, weight_rule="absolute")
        d = EmptyOperator(task_id="d", priority_weight=1000, weight_rule=Doubled())
        a >> b >> c >> d
    spec = to_spec(made)
    assert {key: one.priority_weight for key, one in spec.tasks.items()} == {"a": 1111, "b": 11, "c": 100, "d": 2000}
    assert spec.tasks["d"].weight_rule == "Doubled"
    assert a.priority_weight_total == 1111


@pytest.mark.parametrize(
    ("kwargs", "empty"),
    [
        ({}, True),
        ({"on_success_callback": call_back}, False),
        ({"on_execute_callback": call_back}, False),
        ({"on_failure_callback": call_back}, True),
        ({"outlets": [Dataset("s3://x")]}, False),
        ({"pre_execute": call_back}, False),
    ],
)
def test_empty_operator_without_work_needs_no_process(kwargs: dict[str, Any], empty: bool) -> None:
    with DAG("d") as made:
        EmptyOperator(task_id="a", **kwargs)
    assert to_spec(made).tasks["a"].is_empty is empty


def test_empty_operator_with_an_execute_of_its_own_has_work() -> None:
    class Busy(EmptyOperator):
        def execute(self, context: Any) -> None: ...

    with DAG("d") as made:
        Busy(task_id="a")
        EmptyOperator.partial(task_id="b").expand(params=[{"x": 1}])
    assert to_spec(made).tasks["a"].is_empty is False
    assert to_spec(made).tasks["b"].is_empty is True


def test_groups_arrive_with_their_children_and_edges() -> None:
    with DAG("d") as made:
        with TaskGroup("a", tooltip="tip", ui_color="red") as a, TaskGroup("b"):
            EmptyOperator(task_id="t")
        last = EmptyOperator(task_id="last")
        a >> Label("out") >> last
        a >> last
    spec = to_spec(made)
    assert list(spec.groups) == ["a", "a.b"]
    assert (spec.groups["a"].children, spec.groups["a.b"].children) == (("a.b",), ("a.b.t",))
    assert (spec.groups["a"].parent, spec.groups["a.b"].parent, spec.groups["a.b"].label) == (None, "a", "b")
    assert (spec.groups["a"].tooltip, spec.groups["a"].ui_color) == ("tip", "red")
    assert spec.groups["a"].downstream_task_ids == ("last",)
    assert (spec.tasks["a.b.t"].group_id, spec.tasks["a.b.t"].label, spec.tasks["last"].group_id) == ("a.b", "t", None)


def test_mapping_arrives_as_lengths_and_sources() -> None:
    @task
    def numbers() -> list[int]:
        return []

    @task
    def use(x: Any, y: Any = None) -> None: ...

    @task_group
    def work(x: Any) -> None:
        EmptyOperator(task_id="t")

    with DAG("d") as made:
        n, m = numbers(), numbers()
        use.expand(x=[1, 2], y={"k": 1})
        use.expand(x=n.map(str), y=n.zip(m, fillvalue=0))
        use.expand(x=n.concat(m))
        use.expand_kwargs(m)
        work.expand(x=n)
    spec = to_spec(made)
    xcom = XComInput(task_id="numbers")
    other = XComInput(task_id="numbers__1")
    assert spec.tasks["use"].expand == ExpandSpec(inputs={"x": LiteralInput(length=2), "y": LiteralInput(length=1)})
    assert spec.tasks["use__1"].expand == ExpandSpec(
        inputs={"x": xcom, "y": XComInput(transform="zip", longest=True, parts=(xcom, other))}
    )
    assert spec.tasks["use__2"].expand == ExpandSpec(inputs={"x": XComInput(transform="concat", parts=(xcom, other))})
    assert spec.tasks["use__3"].expand == ExpandSpec(kind="expand_kwargs", inputs={"kwargs": other})
    assert spec.groups["work"].expand == ExpandSpec(inputs={"x": xcom})
    assert spec.tasks["use"].is_mapped
    assert not spec.tasks["work.t"].is_mapped
    assert [key for key, one in spec.tasks.items() if one.feeds_mapping] == ["numbers", "numbers__1"]


def test_sensors_arrive_with_their_waiting() -> None:
    with DAG("d") as made:
        PythonSensor(task_id="a", python_callable=len, mode="reschedule", poke_interval=5, timeout=50, soft_fail=True)
        PythonSensor.partial(task_id="b", poke_interval=7).expand(python_callable=[len])
    spec = to_spec(made)
    a, b = spec.tasks["a"].sensor, spec.tasks["b"].sensor
    assert a is not None
    assert b is not None
    assert (a.mode, a.poke_interval.seconds, a.timeout.seconds, a.soft_fail) == ("reschedule", 5, 50, True)
    assert (b.mode, b.poke_interval.seconds, b.timeout.days) == ("poke", 7, 7)
    assert to_spec(made).tasks["a"].template_fields == ("templates_dict", "op_args", "op_kwargs")


def test_settings_given_become_those_of_the_process() -> None:
    try:
        to_spec(DAG("d"), settings={"core.max_map_length": "5"})
        assert conf.getint("core", "max_map_length") == 5
    finally:
        conf.load({})


_FILE = """
import datetime as dt
from asyncflow import DAG, task, TaskGroup
from asyncflow.operators.python import PythonOperator
class Thing: ...
with DAG("d", start_date=dt.datetime(2024, 1, 1), tags={"a", "b", "c"}, on_failure_callback=print,
         access_control={"r": {"x", "y", "z"}}) as dag:
    a = PythonOperator(task_id="a", python_callable=print, op_args=[Thing(), {"q", "w", "e"}, lambda: 1],
                       on_success_callback=print, on_failure_callback=print, on_retry_callback=print)
    a >> [PythonOperator(task_id=x, python_callable=print) for x in "bcdef"]
from asyncflow.authoring.serialize import to_spec
from asyncflow.authoring.timetables import DatasetOrTimeSchedule, Timetable
import msgspec, hashlib
print(hashlib.sha256(msgspec.msgpack.encode(to_spec(dag), order="deterministic")).hexdigest())
"""


@pytest.mark.slow
def test_equal_files_give_equal_bytes_in_any_process(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(_FILE)
    hashes = {
        subprocess.run(
            [sys.executable, str(tmp_path / "f.py")],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(hashes) == 1


def test_spec_survives_the_wire() -> None:
    with DAG("d", start_date=START, params={"a": 1}) as made:
        PythonOperator(task_id="p", python_callable=print, op_kwargs={"when": START, "call": print})
        PythonSensor.partial(task_id="b").expand(python_callable=[len])
    spec = to_spec(made)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=DagSpec) == spec
    assert spec.tasks["p"].extra["op_kwargs"] == {"when": "2024-01-01T00:00:00+00:00", "call": "<callable print>"}


# ---- what is refused ------------------------------------------------------------------------------------------------


def test_cycle_is_named() -> None:
    with DAG("d") as made:
        a, b, c = (EmptyOperator(task_id=name) for name in "abc")
        a >> b >> c >> a
    with pytest.raises(AirflowDagCycleException, match="DAG 'd': .*a.*b.*c") as caught:
        to_spec(made)
    assert caught.value.where is not None
    assert caught.value.where[0] == __file__


def test_schedule_that_is_no_schedule_is_refused() -> None:
    made = DAG("d", schedule="every tuesday", start_date=START)
    with pytest.raises(InvalidTimetable, match="every tuesday"):
        made.validate()


def test_scheduled_dag_needs_a_default_for_each_param() -> None:
    params = {"n": Param(type="integer")}
    with pytest.raises(ParamValidationError, match="DAG 'd': param 'n' has no default"):
        to_spec(DAG("d", schedule="@daily", start_date=START, params=params))
    assert to_spec(DAG("d", schedule=None, params=params)).params["n"].has_value is False
    with pytest.raises(ParamValidationError, match="DAG 'd': Invalid input for param n"):
        to_spec(DAG("d", schedule="@daily", start_date=START, params={"n": Param("x", type="integer")}))


def test_task_after_a_setup_waits_for_success() -> None:
    with DAG("d") as made:
        EmptyOperator(task_id="s").as_setup() >> EmptyOperator(task_id="a", trigger_rule="all_done")  # type: ignore[operator]
    with pytest.raises(InvalidDag, match="Task 'a' has the trigger rule 'all_done': Setup tasks must be followed"):
        to_spec(made)


def test_trigger_rule_always_has_no_place_in_a_mapped_group() -> None:
    @task_group
    def work(x: int) -> None:
        EmptyOperator(task_id="t")

    with DAG("d") as made:
        work.expand(x=[1])
    made.get_task("work.t").trigger_rule = TriggerRule.ALWAYS
    with pytest.raises(InvalidDag, match="in a mapped task group"):
        to_spec(made)


def test_datasets_beside_a_timetable_of_the_user_are_in_the_spec() -> None:
    class Mine(Timetable):
        pass

    schedule = DatasetOrTimeSchedule(timetable=Mine(), datasets=[Dataset("s3://a"), Dataset("s3://b")])
    with DAG("both", schedule=schedule, start_date=START) as dag:
        EmptyOperator(task_id="a")
    spec = to_spec(dag)
    assert isinstance(spec.timetable, timetables.CustomTimetable)
    assert spec.dataset_expression == {"all": ["s3://a", "s3://b"]}


@pytest.mark.parametrize("schedule", ["0 3 * * *", "@daily", dt.timedelta(days=1), None, "@once"])
def test_a_schedule_of_times_names_no_dataset(schedule: Any) -> None:
    with DAG("timed", schedule=schedule, start_date=START) as dag:
        EmptyOperator(task_id="a")
    assert to_spec(dag).dataset_expression is None
