"""What a DAG file says, as data: the only form in which a DAG reaches the server.

`authoring.serialize` builds these in the DAG host, the wire and the store carry them as msgpack, `core` decides
over them. No behaviour, no user objects: what only user code can answer is asked of the host.
Durations are `timedelta`, moments are aware UTC `datetime`; `None` means "not set".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from asyncflow.core.conditions import Condition
from asyncflow.core.states import TriggerRule
from asyncflow.core.timetable import TimetableSpec


class Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base: immutable, keyword-only, defaults are left out on the wire."""


class LiteralInput(Spec, tag="literal", frozen=True, kw_only=True):
    """A literal list or dict given to `.expand()`: only its length matters to the server."""

    length: int


class XComInput(Spec, tag="xcom", frozen=True, kw_only=True):
    """The output of another task given to `.expand()`.

    The server knows the length that each upstream instance reported (`TryResult.map_length`).
    `transform` is "none" for a plain output or `.map()` (same length), else "zip" (shortest, or longest when
    `longest`) or "concat" (sum) over `parts`, and then `task_id` is empty.
    """

    task_id: str = ""
    key: str = "return_value"
    transform: Literal["none", "zip", "concat"] = "none"
    longest: bool = False
    parts: tuple[LiteralInput | XComInput, ...] = ()


MapInput = LiteralInput | XComInput


class ExpandSpec(Spec, frozen=True, kw_only=True):
    """How a mapped task or task group unrolls.

    `product`: map length is the product of all inputs (in keyword order, the first varies slowest).
    `expand_kwargs`: one input, "kwargs", whose length is the map length.
    """

    kind: Literal["product", "expand_kwargs"] = "product"
    inputs: dict[str, MapInput] = {}


class SensorSpec(Spec, frozen=True, kw_only=True):
    """What the server must know of a sensor to hold it as a timer (reschedule mode)."""

    mode: Literal["poke", "reschedule"] = "poke"
    poke_interval: timedelta = timedelta(seconds=60)
    timeout: timedelta = timedelta(days=7)
    soft_fail: bool = False
    #: what the server can see by itself, known when the file is loaded
    condition: Condition | None = None
    #: something of the task has to run in a process when the waiting is over: callbacks, outlets, hooks
    attended: bool = False


class TaskSpec(Spec, frozen=True, kw_only=True):
    """One task of a DAG."""

    task_id: str
    operator: str = "BaseOperator"  #: class name as the UI shows it; `_task_module` holds the module
    task_module: str = ""
    task_display_name: str = ""
    label: str = ""  #: task_id without its group prefix
    owner: str = "airflow"
    group_id: str | None = None  #: innermost task group, None for the root
    downstream: tuple[str, ...] = ()  #: task ids, sorted
    upstream: tuple[str, ...] = ()
    #: edge labels by downstream task id
    edge_labels: dict[str, str] = {}

    trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS
    retries: int = 0
    retry_delay: timedelta = timedelta(minutes=5)
    retry_exponential_backoff: float = 0.0  #: 0 = off; Airflow's True is 2.0
    max_retry_delay: timedelta | None = None
    execution_timeout: timedelta | None = None
    depends_on_past: bool = False
    ignore_first_depends_on_past: bool = True
    wait_for_downstream: bool = False
    wait_for_past_depends_before_skipping: bool = False
    start_date: datetime | None = None
    end_date: datetime | None = None

    pool: str = "default_pool"
    pool_slots: int = 1
    #: total weight by the weight rule, computed at parse; higher goes first
    priority_weight: int = 1
    own_priority_weight: int = 1
    weight_rule: str = "downstream"
    queue: str = "default"
    executor: str | None = None
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None

    is_setup: bool = False
    is_teardown: bool = False
    on_failure_fail_dagrun: bool = False
    #: EmptyOperator without callbacks, outlets or templates to run: finished by the scheduler without a process
    is_empty: bool = False
    #: a coroutine function: runs on the event loop that the tasks of its file share, without a process of its own
    is_async: bool = False
    #: `start_from_trigger`: deferred at once, without a process; as `TryResult.trigger`
    start_trigger: dict[str, Any] | None = None
    #: has `.map`ped downstream tasks that need its output's length (or is referenced by a mapped group)
    feeds_mapping: bool = False
    do_xcom_push: bool = True
    multiple_outputs: bool = False
    is_mapped: bool = False
    expand: ExpandSpec | None = None
    map_index_template: str | None = None
    sensor: SensorSpec | None = None

    marker: MarkerSpec | None = None
    sla: timedelta | None = None
    email: tuple[str, ...] = ()
    email_on_failure: bool = True
    email_on_retry: bool = True
    #: which of "execute", "success", "failure", "retry", "skipped" callbacks exist
    callbacks: frozenset[str] = frozenset()
    inlets: tuple[dict[str, Any], ...] = ()
    outlets: tuple[dict[str, Any], ...] = ()
    template_fields: tuple[str, ...] = ()
    params: dict[str, Any] = {}
    doc: str | None = None
    doc_md: str | None = None
    ui_color: str = "#fff"
    ui_fgcolor: str = "#000"
    #: other attributes worth showing in the UI (JSON values)
    extra: dict[str, Any] = {}


class TaskGroupSpec(Spec, frozen=True, kw_only=True):
    """A task group; the root group has group_id None and is not listed."""

    group_id: str
    label: str = ""
    parent: str | None = None
    tooltip: str = ""
    ui_color: str = "CornflowerBlue"
    ui_fgcolor: str = "#000"
    prefix_group_id: bool = True
    expand: ExpandSpec | None = None  #: set for a mapped task group
    children: tuple[str, ...] = ()  #: task ids and group ids, in order of creation
    upstream_task_ids: tuple[str, ...] = ()
    downstream_task_ids: tuple[str, ...] = ()
    upstream_group_ids: tuple[str, ...] = ()
    downstream_group_ids: tuple[str, ...] = ()


class ParamSpec(Spec, frozen=True, kw_only=True):
    """One DAG param: its default and JSON schema."""

    value: Any = None
    has_value: bool = True
    schema: dict[str, Any] = {}
    description: str | None = None


class MarkerSpec(Spec, frozen=True, kw_only=True):
    """An ExternalTaskMarker: when it is cleared, a task of another DAG is to be cleared with it."""

    dag_id: str
    task_id: str
    #: from the marker's logical date to that of the other run; None if it takes more than that to tell
    offset: timedelta | None = timedelta(0)
    recursion_depth: int = 10


class DeadlineSpec(Spec, frozen=True, kw_only=True):
    """A moment at which a run should have ended."""

    reference: Literal["logical_date", "queued_at", "fixed"] = "logical_date"
    at: datetime | None = None  #: of "fixed"
    interval: timedelta = timedelta(0)


class DagSpec(Spec, frozen=True, kw_only=True):
    """One DAG of one version of one file."""

    dag_id: str
    file: str = ""  #: path relative to the DAG folder; "a.zip/b.py" inside an archive
    line: int | None = None  #: where in the file it is made
    dialect: Literal[2, 3] = 2  #: 3: the file imports airflow.sdk, so bare cron strings are trigger timetables
    display_name: str = ""
    description: str | None = None
    doc_md: str | None = None
    owner: str = ""
    tags: tuple[str, ...] = ()

    timetable: TimetableSpec
    schedule_text: str = ""  #: what the UI shows as the schedule: the cron text, "1 day, 0:00:00", "None", ...
    timezone: str = "UTC"
    start_date: datetime | None = None
    end_date: datetime | None = None
    catchup: bool = False
    max_active_runs: int = 16
    max_active_tasks: int = 16
    max_consecutive_failed_dag_runs: int = 0  #: 0 = no limit
    dagrun_timeout: timedelta | None = None
    is_paused_upon_creation: bool | None = None
    fail_fast: bool = False  #: `fail_stop` in Airflow 2
    render_template_as_native_obj: bool = False
    sla_miss_callback: bool = False
    deadlines: tuple[DeadlineSpec, ...] = ()
    #: which of "success", "failure" callbacks exist on the DAG
    callbacks: frozenset[str] = frozenset()
    params: dict[str, ParamSpec] = {}
    dataset_expression: Any = None  #: JSON form of `schedule=[...]`; the semantics issue fills it
    owner_links: dict[str, str] = {}
    access_control: dict[str, Any] = {}

    tasks: dict[str, TaskSpec] = {}  #: by task id, in order of creation
    groups: dict[str, TaskGroupSpec] = {}
    #: other attributes worth showing in the UI (JSON values)
    extra: dict[str, Any] = {}
