"""The DAG: what a DAG file makes. Every keyword of Airflow 2.11 (and those that 3 added) is accepted and kept.

A DAG made inside a file that imports `airflow.sdk` has dialect 3: a bare cron text is then a trigger timetable, and an
omitted schedule is none.
"""

from __future__ import annotations

import copy
import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import jinja2

from asyncflow.authoring import timezone
from asyncflow.authoring.baseoperator import check_fail_stop
from asyncflow.authoring.checks import check_types, unknown_keywords, validate_key
from asyncflow.authoring.conf import conf
from asyncflow.authoring.current import DagContext, TaskGroupContext
from asyncflow.authoring.dag_arguments import (
    EXPECTED_TYPES,
    ORIENTATIONS,
    VIEWS,
    DagArguments,
    checked_owner_links,
    checked_tags,
    one_of,
    read_doc,
)
from asyncflow.authoring.exceptions import TaskNotFound
from asyncflow.authoring.localruns import LocalRuns
from asyncflow.authoring.params import DagParam, ParamsDict
from asyncflow.authoring.schedules import ScheduleMethods
from asyncflow.authoring.source import Place, caller, imports_sdk, located
from asyncflow.authoring.taskgroup import TaskGroup, duplicate
from asyncflow.authoring.templates import make_environment
from asyncflow.authoring.timetables import Timetable, resolve_schedule
from asyncflow.authoring.types import NOTSET, ArgNotSet
from asyncflow.errors import InvalidDag

if TYPE_CHECKING:
    from asyncflow.authoring.abstractoperator import AbstractOperator


_created = itertools.count()


class DAG(ScheduleMethods, LocalRuns):
    """A DAG; `with DAG(...):` collects the tasks made inside."""

    #: 3: written for Airflow 3, see the module
    dialect: Literal[2, 3] = 2
    partial: bool = False
    is_subdag: bool = False
    parent_dag: DAG | None = None

    def __init__(
        self, dag_id: str, description: str | None = None, schedule: Any = NOTSET, **kwargs: Unpack[DagArguments]
    ) -> None:
        """Keywords: `DagArguments`. Raises TypeError, ValueError or InvalidDag with a sentence."""
        self.created_at: Place = caller()
        self.created_as = next(_created)
        given: dict[str, Any] = {name: value for name, value in kwargs.items() if value is not None}
        who = f"DAG {dag_id!r}"
        if unknown := given.keys() - DagArguments.__annotations__.keys():
            raise unknown_keywords(who, sorted(unknown), {*DagArguments.__annotations__, "dag_id", "schedule"})
        check_types({**given, "description": description}, EXPECTED_TYPES, who)
        try:
            validate_key(dag_id, "dag_id")
            self._dag_id = dag_id
            self._description = description
            self.fileloc = self.created_at.file
            if imports_sdk(self.fileloc):
                self.dialect = 3
            self._set_plain(given)
            self._set_defaults_and_params(given)
            self._set_dates(given)
            self._set_schedule(schedule, kwargs)
            self._set_limits(given)
        except InvalidDag as error:
            raise located(error, self.created_at) from None
        self.task_dict: dict[str, AbstractOperator] = {}
        self.edge_info: dict[str, dict[str, dict[str, Any]]] = {}
        self._task_group = TaskGroup.create_root(self)

    def _set_plain(self, given: Mapping[str, Any]) -> None:
        self._dag_display_name = given.get("dag_display_name")
        searchpath = given.get("template_searchpath")
        self.template_searchpath = [searchpath] if isinstance(searchpath, str) else searchpath
        self.template_undefined = given.get("template_undefined", jinja2.StrictUndefined)
        self.user_defined_macros = given.get("user_defined_macros")
        self.user_defined_filters = given.get("user_defined_filters")
        self.jinja_environment_kwargs = given.get("jinja_environment_kwargs")
        self._template_envs: dict[bool, jinja2.Environment] = {}
        self.render_template_as_native_obj = given.get("render_template_as_native_obj", False)
        self.dagrun_timeout = given.get("dagrun_timeout")
        self.sla_miss_callback = given.get("sla_miss_callback")
        self.on_success_callback = given.get("on_success_callback")
        self.on_failure_callback = given.get("on_failure_callback")
        self.doc_md = read_doc(given.get("doc_md"))
        self.access_control = given.get("access_control")
        self.is_paused_upon_creation = given.get("is_paused_upon_creation")
        self.auto_register = given.get("auto_register", True)
        self.fail_stop = bool(given.get("fail_stop") or given.get("fail_fast"))
        self.deadline = given.get("deadline")
        self.disable_bundle_versioning = given.get("disable_bundle_versioning", False)
        self.allowed_run_types = given.get("allowed_run_types")
        self.tags = checked_tags(given.get("tags"), self._dag_id)
        self.owner_links = checked_owner_links(given.get("owner_links"), self._dag_id)
        self.default_view = one_of(given.get("default_view", "grid"), VIEWS, "default_view", self._dag_id)
        self.orientation = one_of(given.get("orientation", "LR"), ORIENTATIONS, "orientation", self._dag_id)

    def _set_defaults_and_params(self, given: Mapping[str, Any]) -> None:
        self.default_args: dict[str, Any] = copy.deepcopy(dict(given.get("default_args") or {}))
        self.params = ParamsDict(given.get("params"))
        self.params.update(self.default_args.pop("params", None) or {})

    def _set_dates(self, given: Mapping[str, Any]) -> None:
        defaults = self.default_args
        for name in ("start_date", "end_date"):
            if isinstance(defaults.get(name), str):
                defaults[name] = timezone.parse(defaults[name])
            if defaults.get(name) is not None and not isinstance(defaults[name], datetime):
                raise TypeError(
                    f"DAG {self._dag_id!r}: {name} in default_args must be a datetime, not "
                    f"{type(defaults[name]).__name__} ({defaults[name]!r})."
                )
        start: datetime | None = given.get("start_date")
        # as Airflow: the zone of the first start date that is given, aware or not
        first = start if start is not None and start.tzinfo is not None else defaults.get("start_date")
        self.timezone = timezone.zone_of(first)
        self.start_date = timezone.convert_to_utc(start)
        self.end_date = timezone.convert_to_utc(given.get("end_date"))
        for name in ("start_date", "end_date"):
            if name in defaults:
                defaults[name] = timezone.convert_to_utc(defaults[name])

    def _set_schedule(self, schedule: Any, kwargs: Mapping[str, Any]) -> None:
        candidates = {
            "schedule": schedule,
            "schedule_interval": kwargs.get("schedule_interval", NOTSET),
            "timetable": NOTSET if kwargs.get("timetable") is None else kwargs["timetable"],
        }
        said = {name: value for name, value in candidates.items() if not isinstance(value, ArgNotSet)}
        if len(said) > 1:
            raise ValueError(f"DAG {self._dag_id!r}: give only one of {' and '.join(said)}.")
        meant = next(iter(said.values()), NOTSET)
        if meant and self.dialect == 2 and self.start_date is None and not self.default_args.get("start_date"):
            raise ValueError(
                f"DAG {self._dag_id!r} has a schedule but no start_date: DAG is missing the start_date parameter."
            )
        self.timetable: Timetable = resolve_schedule(meant, timezone=self.timezone, dialect=self.dialect)
        self.schedule_interval: Any = self.timetable.summary
        if isinstance(meant, str | timedelta) or meant is None:
            self.schedule_interval = meant

    def _set_limits(self, given: Mapping[str, Any]) -> None:
        active_tasks = given.get("concurrency") or given.get("max_active_tasks")
        self.max_active_tasks: int = active_tasks or conf.getint("core", "max_active_tasks_per_dag")
        self.max_active_runs: int = given.get("max_active_runs") or conf.getint("core", "max_active_runs_per_dag")
        failed = given.get("max_consecutive_failed_dag_runs")
        self.max_consecutive_failed_dag_runs: int = failed or conf.getint(
            "core", "max_consecutive_failed_dag_runs_per_dag"
        )
        if self.max_consecutive_failed_dag_runs < 0:
            raise InvalidDag(f"DAG {self._dag_id!r}: max_consecutive_failed_dag_runs must not be below 0.")
        limit = self.timetable.active_runs_limit
        if limit is not None and limit < self.max_active_runs:
            raise InvalidDag(
                f"DAG {self._dag_id!r}: Invalid max_active_runs: the schedule {self.timetable.summary!r} requires "
                f"max_active_runs <= {limit}."
            )
        self.catchup: bool = given.get("catchup", conf.getboolean("scheduler", "catchup_by_default"))

    # ---- names ----------------------------------------------------------------------------------------------------

    @property
    def dag_id(self) -> str:
        """Its id."""
        return self._dag_id

    @dag_id.setter
    def dag_id(self, value: str) -> None:
        validate_key(value, "dag_id")
        self._dag_id = value

    @property
    def dag_display_name(self) -> str:
        """The name to show: the one given, else the id."""
        return self._dag_display_name or self._dag_id

    @property
    def description(self) -> str | None:
        """What it is for."""
        return self._description

    @description.setter
    def description(self, value: str | None) -> None:
        self._description = value

    @property
    def safe_dag_id(self) -> str:
        """The id without dots."""
        return self._dag_id.replace(".", "__dot__")

    @property
    def concurrency(self) -> int:
        """Old name of max_active_tasks."""
        return self.max_active_tasks

    @concurrency.setter
    def concurrency(self, value: int) -> None:
        self.max_active_tasks = value

    @property
    def fail_fast(self) -> bool:
        """Airflow 3's name of fail_stop."""
        return self.fail_stop

    @property
    def folder(self) -> str:
        """Folder of the file that made it."""
        return str(Path(self.fileloc).parent)

    @property
    def filepath(self) -> str:
        """The file that made it."""
        return self.fileloc

    @property
    def owner(self) -> str:
        """The owners of its tasks, sorted."""
        return ", ".join(sorted({task.owner for task in self.tasks}))

    @property
    def has_on_success_callback(self) -> bool:
        """Is there something to call when a run succeeds?"""
        return bool(self.on_success_callback)

    @property
    def has_on_failure_callback(self) -> bool:
        """Is there something to call when a run fails?"""
        return bool(self.on_failure_callback)

    # ---- tasks ----------------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> list[AbstractOperator]:
        """All tasks in order of creation."""
        return list(self.task_dict.values())

    @property
    def task_ids(self) -> list[str]:
        """Ids of all tasks in order of creation."""
        return list(self.task_dict)

    @property
    def task_count(self) -> int:
        """How many tasks it has."""
        return len(self.task_dict)

    @property
    def task_group(self) -> TaskGroup:
        """The root of its tree of groups."""
        return self._task_group

    @property
    def task_group_dict(self) -> dict[str, TaskGroup]:
        """All groups but the root, by id."""
        return {key: group for key, group in self._task_group.get_task_group_dict().items() if key is not None}

    @property
    def roots(self) -> list[AbstractOperator]:
        """Tasks with nothing upstream."""
        return [task for task in self.tasks if not task.upstream_task_ids]

    @property
    def leaves(self) -> list[AbstractOperator]:
        """Tasks with nothing downstream."""
        return [task for task in self.tasks if not task.downstream_task_ids]

    @property
    def teardowns(self) -> list[AbstractOperator]:
        """Its teardown tasks."""
        return [task for task in self.tasks if task.is_teardown]

    def add_task(self, task: AbstractOperator) -> None:
        """Give the task to this DAG. Raises DuplicateTaskIdFound if another one has its id."""
        check_fail_stop(self, task)
        task.start_date = _latest(task.start_date, self.start_date)
        task.end_date = _earliest(task.end_date, self.end_date)
        if task.task_group is None:
            group = TaskGroupContext.get_current_task_group(self) or self._task_group
            group = group if group.dag is self else self._task_group
            task.task_id = group.child_id(task.task_id)
            group.add(task)
        existing = self.task_dict.get(task.task_id)
        if existing is task:
            return
        if existing is not None or task.task_id in self._task_group.used_group_ids:
            raise located(duplicate(task, existing), task.created_at)
        self.task_dict[task.task_id] = task
        self._task_group.used_group_ids.add(task.task_id)
        task.dag = self

    def add_tasks(self, tasks: Iterable[AbstractOperator]) -> None:
        """Give several tasks to this DAG."""
        for task in tasks:
            self.add_task(task)

    def has_task(self, task_id: str) -> bool:
        """Is there such a task?"""
        return task_id in self.task_dict

    def has_task_group(self, task_group_id: str) -> bool:
        """Is there such a group?"""
        return task_group_id in self.task_group_dict

    def get_task(self, task_id: str, include_subdags: bool = False) -> AbstractOperator:
        """The task of an id. Raises TaskNotFound."""
        task = self.task_dict.get(task_id)
        if task is None:
            raise TaskNotFound(f"Task {task_id} not found")
        return task

    def topological_sort(self, include_subdag_tasks: bool = False) -> tuple[AbstractOperator, ...]:
        """Tasks so that each comes after those upstream of it. Raises AirflowDagCycleException."""
        from asyncflow.authoring.serialize import task_order

        return tuple(self.task_dict[task_id] for task_id in task_order(self))

    def set_dependency(self, upstream_task_id: str, downstream_task_id: str) -> None:
        """Make an edge by ids."""
        self.get_task(upstream_task_id).set_downstream(self.get_task(downstream_task_id))

    def set_edge_info(self, upstream_task_id: str, downstream_task_id: str, info: dict[str, Any]) -> None:
        """Note something about an edge, for the UI."""
        self.edge_info.setdefault(upstream_task_id, {})[downstream_task_id] = info

    def get_edge_info(self, upstream_task_id: str, downstream_task_id: str) -> dict[str, Any]:
        """What was noted about an edge."""
        return self.edge_info.get(upstream_task_id, {}).get(downstream_task_id, {})

    def partial_subset(
        self,
        task_ids_or_regex: str | re.Pattern[str] | Iterable[str],
        include_downstream: bool = False,
        include_upstream: bool = True,
        include_direct_upstream: bool = False,
    ) -> DAG:
        """A copy with only some of the tasks: ids that match, and relatives of theirs."""
        from asyncflow.authoring.subset import subset

        return subset(self, task_ids_or_regex, include_downstream, include_upstream, include_direct_upstream)

    sub_dag = partial_subset

    def tree_view(self) -> None:
        """Print the tasks as a tree, each under all of its upstreams."""
        print(self.get_tree_view(), end="")  # noqa: T201 - printing is what it is for

    def get_tree_view(self) -> str:
        """The tasks as an indented tree."""
        return "".join(f"{line}\n" for root in sorted(self.roots, key=_by_id) for line in _tree(root, 0))

    # ---- params, templates ----------------------------------------------------------------------------------------

    def param(self, name: str, default: Any = NOTSET) -> DagParam:
        """A reference to the value that a run has for a param."""
        return DagParam(current_dag=self, name=name, default=default)

    def get_template_env(self, *, force_sandboxed: bool = False) -> jinja2.Environment:
        """The Jinja environment in which templates of its tasks are rendered: made once, in the DAG host."""
        native = self.render_template_as_native_obj and not force_sandboxed
        if native not in self._template_envs:
            self._template_envs[native] = make_environment(
                searchpath=[self.folder, *(self.template_searchpath or ())],
                undefined=self.template_undefined,
                native=native,
                macros=self.user_defined_macros,
                filters=self.user_defined_filters,
                options=self.jinja_environment_kwargs,
            )
        return self._template_envs[native]

    def resolve_template_files(self) -> None:
        """Read the template files of all tasks."""
        for task in self.tasks:
            task.resolve_template_files()

    @property
    def task(self) -> Any:
        """`@dag.task`: the `@task` decorator for tasks of this DAG."""
        from asyncflow.authoring.decorators import task

        return functools.partial(task, dag=self)

    # ---- running --------------------------------------------------------------------------------------------------

    def validate(self) -> None:
        """Raises InvalidDag (or a subclass) for what only the whole DAG shows: cycles, params, setup and teardown."""
        from asyncflow.authoring.serialize import validate

        validate(self)

    def test(
        self, execution_date: datetime | None = None, run_conf: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Play one run in this process; the result has `state` and `tasks`. Keywords: `program.play_dag`."""
        from asyncflow.authoring.program import play_dag

        return play_dag(self, kwargs.pop("logical_date", execution_date), run_conf, **kwargs)

    def cli(self) -> None:
        """The command line of a DAG file that is run as a program."""
        from asyncflow.authoring.program import run_cli

        raise SystemExit(run_cli(self, None, print))

    def __enter__(self) -> DAG:
        DagContext.push_context_managed_dag(self)
        return self

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        DagContext.pop_context_managed_dag()

    def __lt__(self, other: Any) -> bool:
        return self._dag_id < other.dag_id if isinstance(other, DAG) else NotImplemented

    def __repr__(self) -> str:
        return f"<DAG: {self._dag_id}>"


def dag(
    dag_id: str | Callable[..., Any] = "", description: str | None = None, schedule: Any = NOTSET, **kwargs: Any
) -> Any:
    """`@dag(...)`: calling the function makes a DAG whose tasks its body makes; its arguments become params."""
    if callable(dag_id):
        return dag(description=description, schedule=schedule, **kwargs)(dag_id)

    def decorate(function: Callable[..., Any]) -> Callable[..., DAG]:
        @functools.wraps(function)
        def factory(*args: Any, **given: Any) -> DAG:
            return _make(function, DAG(dag_id or function.__name__, description, schedule, **kwargs), args, given)

        return factory

    return decorate


def _make(function: Callable[..., Any], made: DAG, args: Any, given: Any) -> DAG:
    import inspect

    bound = inspect.signature(function).bind(*args, **given)
    bound.apply_defaults()
    with made:
        if function.__doc__ and not made.doc_md:
            made.doc_md = function.__doc__
        function(**{name: made.param(name, value) for name, value in bound.arguments.items()})
    return made


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other


def _by_id(task: AbstractOperator) -> str:
    return task.task_id


def _tree(task: AbstractOperator, level: int) -> Iterator[str]:
    yield "    " * level + repr(task)
    for below in sorted(task.downstream_list, key=_by_id):
        yield from _tree(below, level + 1)
