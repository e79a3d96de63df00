"""Exceptions that DAG authors raise and catch; the names are Airflow's, so are their places in the tree.

What a task means by raising one is decided in `worker.runner`: skip, fail for good, come back later, wait for a
trigger. Those that stop a task from outside (`AirflowTaskTimeout`, `AirflowTaskTerminated`) and `TaskDeferred` are no
`Exception`, so that a task's `except Exception` does not swallow them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from asyncflow import errors


class AirflowException(Exception):
    """Base of the errors around tasks; a task that raises it fails, and may be retried."""

    status_code = 500


class AirflowBadRequest(AirflowException):
    status_code = 400


class AirflowNotFoundException(AirflowException):
    status_code = 404


class AirflowConfigException(AirflowException):
    pass


class AirflowSensorTimeout(AirflowException):
    """The condition of a sensor did not become true in time; retries do not apply."""


class AirflowRescheduleException(AirflowException):
    """The task gives its slot back and wants to be run again at `reschedule_date`; not a new try."""

    def __init__(self, reschedule_date: dt.datetime, *, condition: Any = None) -> None:
        """`condition` (a `core.conditions.Condition`): the server watches for it and does without further pokes."""
        super().__init__(f"reschedule at {reschedule_date}")
        self.reschedule_date = reschedule_date
        self.condition = condition


class InvalidStatsNameException(AirflowException):
    pass


class AirflowTaskTimeout(BaseException):
    """The task ran longer than its execution_timeout."""


class AirflowTaskTerminated(BaseException):
    """The task was ended from outside (SIGTERM)."""


class AirflowInternalRuntimeError(BaseException):
    pass


class AirflowWebServerTimeout(AirflowException):
    pass


class AirflowSkipException(AirflowException):
    """The task ends as skipped."""


class AirflowFailException(AirflowException):
    """The task fails and is not retried."""


class AirflowOptionalProviderFeatureException(AirflowException):
    pass


class XComNotFound(AirflowException):
    """A reference to another task's output finds nothing there."""

    def __init__(self, dag_id: str, task_id: str, key: str) -> None:
        super().__init__(dag_id, task_id, key)
        self.dag_id, self.task_id, self.key = dag_id, task_id, key

    def __str__(self) -> str:
        return f"Task {self.task_id!r} of DAG {self.dag_id!r} left no XCom {self.key!r}"


class UnmappableOperator(AirflowException):
    """The operator cannot be used with `.partial()` and `.expand()`."""


class XComForMappingNotPushed(AirflowException):
    """A task whose output is mapped over returned None."""

    def __str__(self) -> str:
        return "the task returned nothing, but other tasks are mapped over its output"


class UnmappableXComTypePushed(AirflowException):
    """A task whose output is mapped over returned something that is neither a list nor a dict."""

    def __init__(self, value: Any, *values: Any) -> None:
        super().__init__(value, *values)
        kinds = [type(item).__qualname__ for item in (value, *values)]
        self._kind = kinds[0] + "".join(f" (inside: {kind})" for kind in kinds[1:])

    def __str__(self) -> str:
        return f"the output has the unmappable type {self._kind}; tasks can be mapped over a list or a dict"


class UnmappableXComLengthPushed(AirflowException):
    """A task whose output is mapped over returned more elements than `max_map_length` allows."""

    def __init__(self, value: Any, max_length: int) -> None:
        super().__init__(value, max_length)
        self._length, self._max = len(value), max_length

    def __str__(self) -> str:
        return f"the output has {self._length} elements; more than {self._max} cannot be mapped over (max_map_length)"


class AirflowDagCycleException(AirflowException, errors.CycleFound):
    """The tasks of a DAG depend on each other in a circle."""


class AirflowDagDuplicatedIdException(AirflowException):
    """Two files define the same dag_id."""

    def __init__(self, dag_id: str, incoming: str, existing: str) -> None:
        super().__init__(dag_id, incoming, existing)
        self.dag_id, self.incoming, self.existing = dag_id, incoming, existing

    def __str__(self) -> str:
        return f"DAG {self.dag_id!r} of {self.incoming} is defined already in {self.existing}"


class AirflowDagInconsistent(AirflowException, errors.InvalidDag):
    pass


class AirflowClusterPolicyViolation(AirflowException):
    pass


class AirflowClusterPolicySkipDag(AirflowException):
    pass


class AirflowClusterPolicyError(AirflowException):
    pass


class AirflowTimetableInvalid(AirflowException, errors.InvalidTimetable):
    pass


class DagNotFound(AirflowNotFoundException):
    pass


class DagCodeNotFound(AirflowNotFoundException):
    pass


class DagRunNotFound(AirflowNotFoundException):
    pass


class DagRunAlreadyExists(AirflowBadRequest):
    """A run with this run_id or logical date exists already."""


class DagFileExists(AirflowBadRequest):
    pass


class FailStopDagInvalidTriggerRule(AirflowException, errors.InvalidDag):
    """A DAG with fail_stop has a task whose trigger rule is not all_success."""


class DuplicateTaskIdFound(AirflowException, errors.DuplicateTaskId):
    """Two tasks or groups of one DAG have the same id."""


class TaskAlreadyInTaskGroup(AirflowException, errors.InvalidDag):
    """A task is added to a group although it is in another one."""

    def __init__(self, task_id: str, existing_group_id: str | None, new_group_id: str) -> None:
        super().__init__(task_id, existing_group_id, new_group_id)
        self.task_id, self.existing_group_id, self.new_group_id = task_id, existing_group_id, new_group_id

    def __str__(self) -> str:
        where = f"group {self.existing_group_id!r}" if self.existing_group_id else "the root of the DAG"
        return f"task {self.task_id!r} is in {where} already and cannot be added to group {self.new_group_id!r}"


class SerializationError(AirflowException):
    pass


class ParamValidationError(AirflowException, errors.InvalidDag):
    """The value of a param does not fit its JSON schema."""


class TaskNotFound(AirflowNotFoundException):
    pass


class TaskInstanceNotFound(AirflowNotFoundException):
    pass


class PoolNotFound(AirflowNotFoundException):
    pass


class NoAvailablePoolSlot(AirflowException):
    pass


class DagConcurrencyLimitReached(AirflowException):
    pass


class TaskConcurrencyLimitReached(AirflowException):
    pass


class BackfillUnfinished(AirflowException):
    """Not all tasks of a backfill succeeded."""

    def __init__(self, message: str, ti_status: Any = None) -> None:
        super().__init__(message)
        self.ti_status = ti_status


class AirflowFileParseException(AirflowException):
    """A file with variables or connections cannot be read."""

    def __init__(self, message: str, file_path: str = "", parse_errors: Iterable[Any] = ()) -> None:
        super().__init__(message)
        self.message, self.file_path, self.parse_errors = message, file_path, list(parse_errors)


class ConnectionNotUnique(AirflowException):
    pass


class AirflowInactiveAssetInInletOrOutletException(AirflowException):
    pass


class DownstreamTasksSkipped(AirflowException):
    """Airflow 3: a task asks that these downstream task ids be skipped, and succeeds itself."""

    def __init__(self, *, tasks: Iterable[str]) -> None:
        self.tasks = list(tasks)
        super().__init__(f"skip {self.tasks}")


class TaskDeferred(BaseException):
    """The task leaves its process and waits for `trigger`; `method_name` resumes it."""

    def __init__(
        self,
        *,
        trigger: Any,
        method_name: str,
        kwargs: Mapping[str, Any] | None = None,
        timeout: dt.timedelta | float | None = None,
    ) -> None:
        super().__init__()
        self.trigger, self.method_name = trigger, method_name
        self.kwargs = dict(kwargs) if kwargs is not None else None
        self.timeout = dt.timedelta(seconds=timeout) if isinstance(timeout, int | float) else timeout

    def __repr__(self) -> str:
        return f"<TaskDeferred trigger={self.trigger} method={self.method_name}>"


class TaskDeferralError(AirflowException):
    """The trigger of a deferred task broke."""


class TaskDeferralTimeout(AirflowException):
    """The trigger of a deferred task did not fire in time."""


class DeserializingResultError(ValueError):
    pass


class UnknownExecutorException(ValueError):
    pass


class RemovedInAirflow3Warning(DeprecationWarning):
    """A name or argument that is gone in Airflow 3."""

    deprecated_provider_since: str | None = None
    deprecated_since: str | None = None


class RemovedInAirflow4Warning(DeprecationWarning):
    """A name or argument that will be gone in Airflow 4."""


class AirflowProviderDeprecationWarning(DeprecationWarning):
    """A name or argument of a provider that will go."""

    deprecated_provider_since: str | None = None
    deprecated_since: str | None = None


class AirflowContextDeprecationWarning(RemovedInAirflow3Warning):
    """A template variable that is gone in Airflow 3."""
