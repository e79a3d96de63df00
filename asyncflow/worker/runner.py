"""Runs one try of a task in this process: `run_try`. Called by task processes, `asyncflow test` and players of tests.

    context -> template fields -> on_execute -> pre_execute -> execute (execution_timeout) -> XCom -> post_execute
            -> outcome -> on_success / on_skipped / on_retry / on_failure

Whether there is another try is the server's decision; this side only knows enough (`try_number`, `max_tries`) to call
the right callback. What a try leaves behind is in the TryResult, except XComs pushed by user code, which are stored at
once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from asyncflow.authoring import mail, xcom
from asyncflow.authoring.api import TaskApi, use_api
from asyncflow.authoring.assetevents import events_of
from asyncflow.authoring.conf import conf as settings
from asyncflow.authoring.context import set_current_context
from asyncflow.authoring.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTerminated,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
    TaskDeferred,
    UnmappableXComLengthPushed,
    UnmappableXComTypePushed,
    XComForMappingNotPushed,
)
from asyncflow.authoring.retrypolicy import RetryAction
from asyncflow.authoring.taskinstance import TaskInstance
from asyncflow.authoring.xcom import XCOM_RETURN_KEY
from asyncflow.core.messages import TryInfo, TryResult
from asyncflow.core.states import TaskState
from asyncflow.worker.links import push_links
from asyncflow.worker.rendered import rendered_fields
from asyncflow.worker.tasklog import log_to_stdout
from asyncflow.worker.triggering import deferral_wish

log = logging.getLogger("airflow.task")

Outcome = Literal["success", "failed", "skipped", "reschedule", "deferred"]


#: how the end of a try is called in `ti.state` while callbacks run
_STATES = {
    "success": TaskState.SUCCESS,
    "skipped": TaskState.SKIPPED,
    "reschedule": TaskState.UP_FOR_RESCHEDULE,
    "deferred": TaskState.DEFERRED,
}


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def run_try(
    task: Any,
    info: TryInfo,
    api: TaskApi,
    *,
    conf: Mapping[str, str] | None = None,
    now: Callable[[], dt.datetime] = utc_now,
    test_mode: bool = False,
    logs: bool = True,
    errors: list[BaseException] | None = None,
) -> TryResult:
    """Run one try to its end and say what it came to; never raises for what the task does.

    `task` is the operator as the DAG file made it (plain or mapped); it is not changed. `conf` are settings as in
    HostConfig.conf, if they are not loaded yet. With `test_mode`, `context["test_mode"]` is true. Without `logs`,
    logging is left as it is. What the task raised is put into `errors` too, for tests that want the exception itself.
    KeyboardInterrupt passes through, after `on_kill`.
    """
    if conf is not None:
        settings.load(conf)
    before = use_api(api)
    try:
        with log_to_stdout() if logs else contextlib.nullcontext():
            one = Try(task, info, api, now=now, test_mode=test_mode)
            result = one.run()
            if errors is not None and one.error is not None:
                errors.append(one.error)
            return result
    finally:
        use_api(before)


class Try:
    """One try on its way; the fields fill up as it goes."""

    def __init__(
        self, task: Any, info: TryInfo, api: TaskApi, *, now: Callable[[], dt.datetime], test_mode: bool
    ) -> None:
        self._now = now
        self._started = now()
        self._info = info
        self._original = task
        self.task = task
        self.ti = TaskInstance(task, info, api, now=now, test_mode=test_mode)
        self._context: Any = {}
        self._rendered: dict[str, Any] | None = None
        self._map_length: int | None = None
        #: what the task raised, if that is why it failed
        self.error: BaseException | None = None

    def run(self) -> TryResult:
        ti = self.ti
        log.info("Starting attempt %s of %s", ti.try_number, ti.max_tries + 1)
        try:
            self._prepare()
            self._execute()
        except BaseException as error:
            return self._ended_by(error)
        return self._end("success")

    def _ended_by(self, error: BaseException) -> TryResult:
        """What it comes to that this was raised; what is no business of a try is raised again."""
        match error:
            case AirflowSkipException():
                log.info("%s", error or "Skipped")
                return self._end("skipped", error=error)
            case DownstreamTasksSkipped():
                self.ti.request_skip(error.tasks)
                return self._end("success")
            case AirflowRescheduleException():
                log.info("Rescheduling task, marking task as UP_FOR_RESCHEDULE")
                return self._end("reschedule", reschedule_at=_utc(error.reschedule_date), condition=error.condition)
            case TaskDeferred():
                return self._defer(error)
            case AirflowFailException() | AirflowSensorTimeout():
                return self._fail(error, retryable=False)
            case SystemExit(code=None | 0 | False | ""):
                return self._end("success")
            case Exception() | AirflowTaskTimeout() | AirflowTaskTerminated() | SystemExit():
                return self._fail(error, retryable=True)
            case KeyboardInterrupt():
                self._on_kill()
        raise error

    def _defer(self, deferral: TaskDeferred) -> TryResult:
        try:
            trigger = deferral_wish(deferral)
        except Exception as error:
            return self._fail(error, retryable=True)
        log.info("Pausing task as DEFERRED")
        return self._end("deferred", trigger=trigger)

    # ---- before ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Build the context, make the copy that runs, render its templates."""
        self._context = self.ti.get_template_context(ignore_param_exceptions=False)
        with set_current_context(self._context):
            self._make_copy()
            self.task.render_template_fields(self._context)
            self._rendered = rendered_fields(self.task)

    def _make_copy(self) -> None:
        """The operator that runs: a copy, as rendering must not change the DAG; of a mapped task, this instance."""
        task = self._original
        if getattr(task, "is_mapped", False):
            task = task.unmap_for(self._context)
        self.task = self.ti.task = task.prepare_for_execution()
        self._context["task"] = self.task

    # ---- the work ---------------------------------------------------------------------------------------------------

    def _execute(self) -> None:
        context, task = self._context, self.task
        self._call_back("on_execute_callback")
        with set_current_context(context), _on_sigterm(self._terminate):
            task.pre_execute(context)
            result = self._timed(task)
            self._keep(result)
            task.post_execute(context, result)

    def _timed(self, task: Any) -> Any:
        limit = task.execution_timeout
        seconds = limit.total_seconds() if limit is not None else 0.0
        if self.ti.next_method is not None and limit is not None:  # a deferred task goes on: what is left of it
            begun = self.ti.first_poke_at or self.ti.start_date
            seconds = max(0.001, seconds - (self._now() - begun).total_seconds())  # type: ignore[operator]
        try:
            with time_limit(seconds):
                return self._call(task)
        except AirflowTaskTimeout:
            self._on_kill()
            raise

    def _call(self, task: Any) -> Any:
        ti = self.ti
        if ti.next_method is None:
            return task.execute(context=self._context)
        kwargs = xcom.from_json_types(ti.next_kwargs or {})
        return task.resume_execution(ti.next_method, kwargs, self._context)

    def _keep(self, result: Any) -> None:
        """Encode what goes to XCom with the result; raises if it cannot be stored, or mapped over where it must be."""
        task = self.task
        if task.do_xcom_push and result is not None:
            if task.multiple_outputs:
                self._keep_outputs(result)
            self.ti.pending_xcoms[XCOM_RETURN_KEY] = xcom.encode(result)
        if _feeds_mapping(self._original):
            self._map_length = _checked_length(result)

    def _keep_outputs(self, result: Any) -> None:
        if not isinstance(result, Mapping):
            raise AirflowException(f"Returned output was type {type(result)} expected dictionary for multiple_outputs")
        for key in result:
            if not isinstance(key, str):
                raise AirflowException(
                    "Returned dictionary keys must be strings when using multiple_outputs, "
                    f"found {key} ({type(key)}) instead"
                )
        for key, value in result.items():
            self.ti.pending_xcoms[key] = xcom.encode(value)

    # ---- after ----------------------------------------------------------------------------------------------------

    def _terminate(self) -> None:
        log.error("Received SIGTERM. Terminating subprocesses")
        self._on_kill()
        raise AirflowTaskTerminated("Task received SIGTERM signal")

    def _on_kill(self) -> None:
        try:
            self.task.on_kill()
        except Exception:
            log.exception("on_kill() of %r failed", self.ti.task_id)

    def _fail(self, error: BaseException, *, retryable: bool) -> TryResult:
        log.error("Task failed with exception", exc_info=error)
        self.error = error
        retryable = retryable and self._policy_allows(error)
        return self._end("failed", error=error, retryable=retryable)

    def _policy_allows(self, error: BaseException) -> bool:
        """Whether the task's `retry_policy` leaves it at the task's `retries`; one that breaks does."""
        policy = getattr(self.task, "retry_policy", None)
        if policy is None:
            return True
        try:
            decision = policy.evaluate(error, self.ti.try_number, self.ti.max_tries, self._context)
        except Exception:
            log.exception("The retry policy of %r failed", self.ti.task_id)
            return True
        log.info("Retry policy: %s %s", decision.action.value, decision.reason or "")
        return bool(decision.action is not RetryAction.FAIL)

    def _end(
        self,
        outcome: Outcome,
        *,
        error: BaseException | None = None,
        retryable: bool = True,
        reschedule_at: dt.datetime | None = None,
        condition: Any = None,
        trigger: dict[str, Any] | None = None,
    ) -> TryResult:
        ti = self.ti
        ended = self._now()
        ti.end_date = _aware(ended)
        retry = outcome == "failed" and retryable and ti.is_eligible_to_retry()
        ti.state = (_STATES.get(outcome) or (TaskState.UP_FOR_RETRY if retry else TaskState.FAILED)).value
        if outcome in ("success", "failed"):
            push_links(self.task, ti)
        self._finish_callbacks(outcome, retry, error)
        log.info("Marking task as %s", ti.state.upper())
        failed = outcome == "failed"
        return TryResult(
            outcome=outcome,
            started_at=self._started,
            ended_at=ended,
            error=_one_line(error) if failed and error is not None else None,
            traceback="".join(traceback.format_exception(error)) if failed and error is not None else None,
            retryable=retryable,
            reschedule_at=reschedule_at,
            condition=None if condition is None else msgspec.to_builtins(condition),
            trigger=trigger,
            xcoms=dict(ti.pending_xcoms) if outcome == "success" else {},
            map_length=self._map_length if outcome == "success" else None,
            rendered_map_index=self._rendered_map_index(),
            rendered_fields=self._rendered,
            skip_tasks=tuple(ti.skip_tasks) if outcome == "success" else (),
            skip_map_index=ti.skip_map_index,
            dataset_events=self._dataset_events() if outcome == "success" else (),
        )

    def _dataset_events(self) -> tuple[dict[str, Any], ...]:
        """What is said of the datasets among the task's outlets."""
        outlets = getattr(self.task, "outlets", None)
        return events_of(outlets, self._context.value("outlet_events")) if outlets else ()

    def _rendered_map_index(self) -> str | None:
        """The text of `map_index_template`, for copies of a mapped task; a broken template is no reason to fail."""
        template = getattr(self.task, "map_index_template", None)
        if self.ti.map_index < 0 or not template:
            return None
        try:
            env = self.task.get_template_env()
            return str(self.task.render_template(template, self._context, env))
        except Exception:
            log.exception("map_index_template of %r cannot be rendered", self.ti.task_id)
            return None

    def _finish_callbacks(self, outcome: Outcome, retry: bool, error: BaseException | None) -> None:
        names = {
            "success": "on_success_callback",
            "skipped": "on_skipped_callback",
            "failed": "on_retry_callback" if retry else "on_failure_callback",
        }
        if outcome not in names:
            return
        if outcome == "failed":
            self._context["exception"] = error
            if mail.is_wanted(self.task, retry) and not self.ti.test_mode:
                mail.alert(self.task, self._context, error)
        self._call_back(names[outcome])

    def _call_back(self, name: str) -> None:
        """Call the callbacks of one kind; what they raise is logged and changes nothing."""
        run_callbacks(getattr(self.task, name, None), self._context, name)


def run_callbacks(callbacks: Any, context: Any, name: str) -> list[str]:
    """Call one callback or each of a list with the context; the errors they raised, one line each."""
    if not callbacks:
        return []
    errors = []
    for callback in callbacks if isinstance(callbacks, Iterable) else [callbacks]:
        who = getattr(callback, "__name__", type(callback).__name__)
        log.info("Executing %s callback %s", name, who)
        try:
            with set_current_context(context):
                callback(context)
        except Exception as error:
            log.exception("Error when executing %s callback %s", name, who)
            errors.append(f"{who}: {_one_line(error)}")
    return errors


# ---- limits ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise AirflowTaskTimeout in the block after this many seconds; 0 = no limit.

    By SIGALRM, so in the main thread only; elsewhere the server's own timer ends the process a little later.
    """
    if seconds <= 0 or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: Any) -> None:
        raise AirflowTaskTimeout(f"Timeout: the task ran longer than its execution_timeout of {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    begun = time.monotonic()
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:  # an alarm that was set around this one still rings
            signal.setitimer(signal.ITIMER_REAL, max(0.001, outer - (time.monotonic() - begun)))


@contextlib.contextmanager
def _on_sigterm(act: Callable[[], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, frame: Any) -> None:
        act()

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# ---- small things ---------------------------------------------------------------------------------------------------


def _feeds_mapping(task: Any) -> bool:
    """Are other tasks or groups mapped over what this one returns? (Of a mapped task: over its copies.)"""
    if task.is_mapped or task.dag is None:
        return False
    for after in task.downstream_list:
        for mapped in (after, *after.iter_mapped_task_groups()):
            expand = getattr(mapped, "expand_input", None)
            if expand is not None and any(source is task for source, _ in expand.iter_references()):
                return True
    return False


def _checked_length(result: Any) -> int:
    if result is None:
        raise XComForMappingNotPushed
    length = xcom.map_length(result)
    if length is None:
        raise UnmappableXComTypePushed(result)
    longest = settings.getint("core", "max_map_length")
    if length > longest:
        raise UnmappableXComLengthPushed(result, longest)
    return length


def _one_line(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC)


def _aware(moment: dt.datetime) -> Any:
    from asyncflow.authoring.taskinstance import aware

    return aware(moment)
