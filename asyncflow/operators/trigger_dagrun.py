"""TriggerDagRunOperator: makes a run of another DAG, and waits for it if asked to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from asyncflow.authoring import timezone
from asyncflow.authoring.api import current_api
from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.exceptions import AirflowException, AirflowSkipException, DagNotFound, DagRunAlreadyExists
from asyncflow.authoring.operatorlink import BaseOperatorLink
from asyncflow.authoring.types import NOTSET, ArgNotSet
from asyncflow.errors import Conflict, NotFound
from asyncflow.triggers.external_task import DagStateTrigger

XCOM_LOGICAL_DATE_ISO = "trigger_execution_date_iso"
XCOM_RUN_ID = "trigger_run_id"


class TriggerDagRunLink(BaseOperatorLink):
    """The link to the run that was made."""

    name = "Triggered DAG"


class TriggerDagRunOperator(BaseOperator):
    """Triggers `trigger_dag_id`; leaves the run's id in the XCom `trigger_run_id`.

    An existing run of that id or date is an error, or cleared with `reset_dag_run`, or skips this task with
    `skip_when_already_exists`. With `wait_for_completion` the task waits for one of `allowed_states` and fails at one
    of `failed_states`.
    """

    template_fields: Sequence[str] = (
        "trigger_dag_id",
        "trigger_run_id",
        "logical_date",
        "conf",
        "wait_for_completion",
        "skip_when_already_exists",
    )
    template_fields_renderers = {"conf": "py"}
    ui_color = "#ffefeb"
    operator_extra_links = (TriggerDagRunLink(),)

    def __init__(
        self,
        *,
        trigger_dag_id: str,
        trigger_run_id: str | None = None,
        conf: dict[str, Any] | None = None,
        execution_date: str | datetime | None = None,
        logical_date: str | datetime | None | ArgNotSet = NOTSET,
        reset_dag_run: bool = False,
        wait_for_completion: bool = False,
        poke_interval: int = 60,
        allowed_states: list[str] | None = None,
        failed_states: list[str] | None = None,
        skip_when_already_exists: bool = False,
        fail_when_dag_is_paused: bool = False,
        deferrable: bool = False,
        **kwargs: Any,
    ) -> None:
        """`logical_date` is Airflow 3's name of `execution_date`. A `deferrable` one waits in a trigger."""
        super().__init__(**kwargs)
        self.trigger_dag_id = trigger_dag_id
        self.trigger_run_id = trigger_run_id
        self.conf = conf
        given = execution_date if isinstance(logical_date, ArgNotSet) else logical_date
        if given is not None and not isinstance(given, str | datetime):
            raise TypeError(
                f"Task {self.task_id!r}: execution_date must be a text or a datetime, not {type(given).__name__}."
            )
        self.logical_date = given.isoformat() if isinstance(given, datetime) else given
        self.reset_dag_run = reset_dag_run
        self.wait_for_completion = wait_for_completion
        self.poke_interval = poke_interval
        self.allowed_states = [str(state) for state in allowed_states or ["success"]]
        self.failed_states = [str(state) for state in (["failed"] if failed_states is None else failed_states)]
        self.skip_when_already_exists = skip_when_already_exists
        self.fail_when_dag_is_paused = fail_when_dag_is_paused
        self.deferrable = deferrable

    def execute(self, context: Any) -> None:
        """Make the run; wait for it."""
        try:
            json.dumps(self.conf)
        except TypeError:
            raise AirflowException("conf parameter should be JSON Serializable") from None
        self._check_paused()
        run = self._trigger(context)
        context["ti"].xcom_push(key=XCOM_RUN_ID, value=run.run_id)
        if run.logical_date is not None:
            context["ti"].xcom_push(key=XCOM_LOGICAL_DATE_ISO, value=run.logical_date.isoformat())
        if _is_true(self.wait_for_completion):
            if self.deferrable:
                states = [*self.allowed_states, *self.failed_states]
                trigger = DagStateTrigger(
                    self.trigger_dag_id, states, run_ids=[run.run_id], poll_interval=self.poke_interval
                )
                self.defer(trigger=trigger, method_name="execute_complete")
            self._wait(run.run_id)

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """The trigger has seen one of the states."""
        run_id = event[1]["run_ids"][0]
        if not self._has_ended(run_id):
            raise AirflowException(
                f"{self.trigger_dag_id} is in neither of {self.allowed_states} and {self.failed_states} any more"
            )

    def _check_paused(self) -> None:
        info = current_api().dag_info(self.trigger_dag_id)
        if self.fail_when_dag_is_paused and info is not None and info.paused:
            raise AirflowException(f"Dag {self.trigger_dag_id} is paused")

    def _trigger(self, context: Any) -> Any:
        ti = context["ti"]
        try:
            return current_api().trigger_dag_run(
                self.trigger_dag_id,
                run_id=self.trigger_run_id,
                logical_date=None if self.logical_date is None else timezone.parse(str(self.logical_date)),
                conf=self.conf,
                reset_dag_run=self.reset_dag_run,
                triggered_by=f"dag:{ti.dag_id}/{ti.task_id}",
            )
        except NotFound as error:
            raise DagNotFound(str(error)) from None
        except Conflict as error:
            if _is_true(self.skip_when_already_exists):
                raise AirflowSkipException(f"Skipping: {error}") from None
            raise DagRunAlreadyExists(str(error)) from None

    def _wait(self, run_id: str) -> None:
        """Wait without an executor slot; the end of the run is seen at once, looked for every `poke_interval`."""
        api = current_api()
        while not self._has_ended(run_id):
            api.rest(True)
            try:
                states = [*self.allowed_states, *self.failed_states]
                api.wait_for_run(self.trigger_dag_id, run_id, states, self.poke_interval)
            finally:
                api.rest(False)

    def _has_ended(self, run_id: str) -> bool:
        """Whether the run is in one of `allowed_states`. Raises AirflowException at one of `failed_states`."""
        runs = current_api().dag_runs(self.trigger_dag_id, run_ids=[run_id])
        if not runs:
            raise AirflowException(f"Run {run_id} of {self.trigger_dag_id} is gone")
        state = runs[0].state
        if state in self.failed_states:
            raise AirflowException(f"{self.trigger_dag_id} failed with failed states {state}")
        if state in self.allowed_states:
            self.log.info("%s finished with allowed state %s", self.trigger_dag_id, state)
            return True
        self.log.info("Waiting for %s on %s to become allowed state %s ...", self.trigger_dag_id, run_id, state)
        return False


def _is_true(value: Any) -> bool:
    """A truth value, or the text of one: `wait_for_completion` may be a template."""
    return value.strip().lower() in ("true", "1", "yes", "t") if isinstance(value, str) else bool(value)
