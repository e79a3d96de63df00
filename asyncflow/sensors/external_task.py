"""ExternalTaskSensor: waits for another DAG, or tasks of it, to reach a state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pendulum

from asyncflow.authoring import macros
from asyncflow.authoring.api import current_api
from asyncflow.authoring.callables import determine_kwargs
from asyncflow.authoring.exceptions import AirflowException, AirflowSkipException
from asyncflow.core.conditions import Condition, OtherRun
from asyncflow.core.specs import MarkerSpec
from asyncflow.operators.empty import EmptyOperator
from asyncflow.sensors.base import BaseSensorOperator
from asyncflow.triggers.external_task import WorkflowTrigger, dates_in_states


class ExternalTaskSensor(BaseSensorOperator):
    """Waits until the other DAG's runs of the dates meant (or tasks, or a group in them) are in `allowed_states`.

    The dates are this run's logical date, or that minus `execution_delta`, or what `execution_date_fn` says. At one of
    `failed_states` it fails (`soft_fail`: skips), at one of `skipped_states` it skips.
    """

    template_fields: Sequence[str] = (
        "external_dag_id",
        "external_task_id",
        "external_task_ids",
        "external_task_group_id",
    )
    ui_color = "#4db7db"

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str | None = None,
        external_task_ids: Collection[str] | None = None,
        external_task_group_id: str | None = None,
        allowed_states: Iterable[str] | None = None,
        skipped_states: Iterable[str] | None = None,
        failed_states: Iterable[str] | None = None,
        execution_delta: timedelta | None = None,
        execution_date_fn: Callable[..., Any] | None = None,
        check_existence: bool = False,
        poll_interval: float = 2.0,
        deferrable: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.allowed_states = _texts(["success"] if allowed_states is None else allowed_states)
        self.skipped_states = _texts(skipped_states or ())
        self.failed_states = _texts(failed_states or ())
        states = [*self.allowed_states, *self.skipped_states, *self.failed_states]
        if len(set(states)) < len(states):
            raise AirflowException(f"Task {self.task_id!r}: a state is in more than one of allowed, skipped, failed.")
        if execution_delta is not None and execution_date_fn is not None:
            raise ValueError("Only one of `execution_delta` or `execution_date_fn` may be provided; not both.")
        if sum(x is not None for x in (external_task_id, external_task_ids, external_task_group_id)) > 1:
            raise ValueError(
                "Only one of `external_task_group_id`, `external_task_id` and `external_task_ids` may be provided."
            )
        self.external_dag_id = external_dag_id
        self.external_task_id = external_task_id
        self.external_task_ids = [external_task_id] if external_task_id is not None else external_task_ids
        self.external_task_group_id = external_task_group_id
        self.execution_delta = execution_delta
        self.execution_date_fn = execution_date_fn
        self.check_existence = check_existence
        self.poll_interval = poll_interval
        self._existence_checked = False

    def server_condition(self, *, poked: bool) -> Condition | None:
        task_ids = tuple(self.external_task_ids or ())
        # A function that gives dates may give others next time; who does not exist is for the first poke to say.
        if self.execution_date_fn is not None or (self.check_existence and not poked):
            return None
        if len(set(task_ids)) < len(task_ids):
            return None
        return OtherRun(
            dag_id=self.external_dag_id,
            task_ids=task_ids,
            group_id=self.external_task_group_id,
            delta=self.execution_delta or timedelta(0),
            allowed=tuple(self.allowed_states),
            failed=tuple(self.failed_states),
            skipped=tuple(self.skipped_states),
        )

    def poke(self, context: Any) -> bool:
        dates = self._dates(context)
        if self.check_existence and not self._existence_checked:
            self._check_existence()
        self.log.info("Poking for %s on %s ...", self._what(), ", ".join(date.isoformat() for date in dates))
        if self.failed_states and self._count(dates, self.failed_states) > 0:
            message = f"{self._what()} failed"
            raise AirflowSkipException(f"{message}; skipping.") if self.soft_fail else AirflowException(message)
        if self.skipped_states and self._count(dates, self.skipped_states) > 0:
            raise AirflowSkipException(f"{self._what()} is in one of {self.skipped_states}; skipping.")
        return self._count(dates, self.allowed_states) == len(dates)

    def execute(self, context: Any) -> Any:
        """Poke; a deferrable one waits in a trigger, which looks every `poll_interval` seconds."""
        if not self.deferrable:
            return super().execute(context)
        if self.check_existence:
            self._check_existence()
        trigger = WorkflowTrigger(
            self.external_dag_id,
            execution_dates=self._dates(context),
            external_task_ids=self.external_task_ids,
            external_task_group_id=self.external_task_group_id,
            allowed_states=self.allowed_states,
            failed_states=self.failed_states,
            skipped_states=self.skipped_states,
            poke_interval=self.poll_interval,
            soft_fail=self.soft_fail,
        )
        self.defer(timeout=self.execution_timeout, trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """The trigger has seen one of the states."""
        if event["status"] == "skipped":
            raise AirflowSkipException(f"{self._what()} is in one of {self.skipped_states}; skipping.")
        if event["status"] != "success":
            raise AirflowException(f"{self._what()} failed")
        self.log.info("%s has been executed successfully.", self._what())

    def _what(self) -> str:
        if self.external_task_ids:
            return f"tasks {list(self.external_task_ids)} in dag {self.external_dag_id}"
        if self.external_task_group_id:
            return f"task group {self.external_task_group_id} in dag {self.external_dag_id}"
        return f"dag {self.external_dag_id}"

    def _dates(self, context: Any) -> list[datetime]:
        logical_date = context["logical_date"]
        if self.execution_delta is not None:
            return [logical_date - self.execution_delta]
        if self.execution_date_fn is None:
            return [logical_date]
        kwargs = {name: value for name, value in _quiet(context).items() if name != "logical_date"}
        taken = determine_kwargs(self.execution_date_fn, (), kwargs)
        found = self.execution_date_fn(logical_date, **taken)
        return list(found) if isinstance(found, list | tuple | set) else [found]

    def _count(self, dates: list[datetime], states: list[str]) -> float:
        """For how many of the dates all that is waited for is in one of the states."""
        return dates_in_states(
            current_api(),
            self.external_dag_id,
            dates,
            states,
            task_ids=list(self.external_task_ids) if self.external_task_ids else None,
            group_id=self.external_task_group_id,
        )

    def _check_existence(self) -> None:
        info = current_api().dag_info(self.external_dag_id)
        if info is None:
            raise AirflowException(f"The external DAG {self.external_dag_id} does not exist.")
        for task_id in self.external_task_ids or ():
            if task_id not in info.task_ids:
                raise AirflowException(f"The external task {task_id} in DAG {self.external_dag_id} does not exist.")
        if self.external_task_group_id and self.external_task_group_id not in info.group_ids:
            raise AirflowException(
                f"The external task group {self.external_task_group_id} in DAG {self.external_dag_id} does not exist."
            )
        self._existence_checked = True


#: of different times of the day, so that a template that cuts or fixes the time is not taken for a shift
_SAMPLES = (pendulum.datetime(2021, 3, 7, 5, 6, 7), pendulum.datetime(2022, 11, 18))


class ExternalTaskMarker(EmptyOperator):
    """Marks that a task of another DAG depends on this one, for who reads the DAG."""

    template_fields: Sequence[str] = ("external_dag_id", "external_task_id", "execution_date")
    ui_color = "#4db7db"

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str,
        execution_date: str | datetime | None = "{{ logical_date.isoformat() }}",
        logical_date: str | datetime | None = None,
        recursion_depth: int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.external_dag_id = external_dag_id
        self.external_task_id = external_task_id
        date = logical_date or execution_date
        self.execution_date = date.isoformat() if isinstance(date, datetime) else date
        if recursion_depth <= 0:
            raise ValueError("recursion_depth should be a positive integer")
        self.recursion_depth = recursion_depth

    def marker_spec(self) -> MarkerSpec:
        """What the server clears together with this task."""
        return MarkerSpec(
            dag_id=self.external_dag_id,
            task_id=self.external_task_id,
            offset=self._offset(),
            recursion_depth=self.recursion_depth,
        )

    def _offset(self) -> timedelta | None:
        """From the logical date to the marked one: tried on two dates, as most templates only shift it."""
        env = self.get_template_env()
        found = set()
        for date in _SAMPLES:
            known = {"logical_date": date, "execution_date": date, "ts": date.isoformat(), "macros": macros}
            known |= {"ds": f"{date:%Y-%m-%d}", "ds_nodash": f"{date:%Y%m%d}", "params": self.params}
            try:
                marked: Any = pendulum.parse(env.from_string(str(self.execution_date)).render(known))
            except Exception:  # whatever a template may raise: then its date is known only where it is rendered
                return None
            if not isinstance(marked, datetime):
                return None
            found.add(timedelta(seconds=(marked - date).total_seconds()))
        return found.pop() if len(found) == 1 else None


def _texts(states: Iterable[Any]) -> list[str]:
    return [str(getattr(state, "value", state)) for state in states]


def _quiet(context: Any) -> dict[str, Any]:
    quiet = getattr(context, "quiet", None)
    return dict(quiet() if quiet is not None else context)
