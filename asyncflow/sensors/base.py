"""Base of sensors: tasks that wait for something by asking again and again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from asyncflow.authoring import timezone
from asyncflow.authoring.api import current_api
from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.conf import conf
from asyncflow.authoring.defaults import to_timedelta
from asyncflow.authoring.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferralError,
)
from asyncflow.authoring.skip import SkipMixin
from asyncflow.core.conditions import Condition
from asyncflow.core.specs import SensorSpec

SensorT = TypeVar("SensorT", bound="type[BaseSensorOperator]")

#: longest time between two pokes in reschedule mode: further ahead the store's dates would end
_MAX_RESCHEDULE = datetime(9000, 1, 1, tzinfo=timezone.utc)


class PokeReturnValue:
    """What a poke may return in place of a truth value: is it done, and what goes to XCom then."""

    def __init__(self, is_done: bool, xcom_value: Any = None) -> None:
        self.xcom_value = xcom_value
        self.is_done = is_done

    def __bool__(self) -> bool:
        return self.is_done


class BaseSensorOperator(BaseOperator, SkipMixin):
    """Calls `poke(context)` every `poke_interval` until it is true, or `timeout` has passed since the first poke.

    Mode "poke" keeps the process and sleeps in it, "reschedule" ends it and comes back. A timeout fails the task for
    good, or skips it with `soft_fail`; so does AirflowFailException. Any other error of `poke` is a failed try, unless
    `never_fail` skips on it or `silent_fail` logs it and goes on. As in Airflow 2.11.
    """

    ui_color = "#e6f1f2"
    valid_modes: tuple[str, ...] = ("poke", "reschedule")

    def __init__(
        self,
        *,
        poke_interval: timedelta | float = 60,
        timeout: timedelta | float | None = None,
        soft_fail: bool = False,
        mode: str = "poke",
        exponential_backoff: bool = False,
        max_wait: timedelta | float | None = None,
        silent_fail: bool = False,
        never_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        default_timeout = conf.getfloat("sensors", "default_timeout")
        self.poke_interval = self._seconds(poke_interval, "poke_interval")
        self.timeout = self._seconds(default_timeout if timeout is None else timeout, "timeout")
        self.max_wait = None if max_wait is None else to_timedelta(max_wait, "max_wait")
        self.soft_fail = soft_fail
        self.mode = mode
        self.exponential_backoff = exponential_backoff
        self.silent_fail = silent_fail
        self.never_fail = never_fail
        if mode not in self.valid_modes:
            raise AirflowException(
                f"Sensor {self.task_id!r}: the mode must be one of {', '.join(self.valid_modes)}; not {mode!r}."
            )
        if soft_fail and never_fail:
            raise ValueError(f"Sensor {self.task_id!r}: soft_fail and never_fail are mutually exclusive.")

    def _seconds(self, value: timedelta | float, name: str) -> float:
        seconds = to_timedelta(value, f"Sensor {self.task_id!r}: {name}").total_seconds()
        if seconds < 0:
            raise AirflowException(f"Sensor {self.task_id!r}: {name} must not be negative.")
        return seconds

    @classmethod
    def sensor_spec(cls, values: Mapping[str, Any]) -> SensorSpec:
        timeout = values.get("timeout")
        return SensorSpec(
            mode=values.get("mode", "poke"),
            poke_interval=to_timedelta(values.get("poke_interval", 60), "poke_interval"),
            timeout=to_timedelta(
                conf.getfloat("sensors", "default_timeout") if timeout is None else timeout, "timeout"
            ),
            soft_fail=bool(values.get("soft_fail", False)),
        )

    def own_sensor_spec(self) -> SensorSpec:
        spec = self.sensor_spec(vars(self))
        condition = (
            None
            if any(_may_be_template(getattr(self, name, None)) for name in self.template_fields)
            else (self._watchable(poked=False))
        )
        return msgspec.structs.replace(spec, condition=condition, attended=self._is_attended())

    def server_condition(self, *, poked: bool) -> Condition | None:
        """What it waits for as data, so that the server can see for itself; None: only `poke` can tell.

        `poked`: asked in its process after a poke, with its fields rendered; else while the file is loaded. Only taken
        from the class that defines it: a subclass may poke in its own way.
        """
        return None

    def _watchable(self, *, poked: bool) -> Condition | None:
        """The condition, unless something of the sensor asks for real pokes."""
        if "server_condition" not in vars(type(self)) or getattr(self, "deferrable", False):
            return None
        if self.silent_fail or self.never_fail or self.exponential_backoff:
            return None
        if self.mode == "poke" and self.execution_timeout is not None:
            return None
        return self.server_condition(poked=poked)

    def _is_attended(self) -> bool:
        """Is there more to run than pokes?"""
        callbacks = ("execute", "success", "failure", "retry", "skipped")
        return bool(
            any(getattr(self, f"on_{word}_callback") for word in callbacks)
            or self.outlets
            or self.email
            or self._pre_execute_hook
            or self._post_execute_hook
        )

    @property
    def reschedule(self) -> bool:
        """Does it end its process between pokes?"""
        return self.mode == "reschedule"

    def poke(self, context: Any) -> bool | PokeReturnValue:
        """Is what it waits for there? Subclasses define it."""
        raise AirflowException("Override me.")

    def execute(self, context: Any) -> Any:
        """Poke until done."""
        started = time.monotonic() - self._seconds_waited(context)
        pokes = 1 + (self._pokes_before(context) if self.reschedule else 0)
        while True:
            result = self._poke_once(context)
            if result:
                self.log.info("Success criteria met. Exiting.")
                return result.xcom_value if isinstance(result, PokeReturnValue) else None
            waited = time.monotonic() - started
            if waited > self.timeout:
                self._time_out(waited)
            self._hand_over(context)
            pause = self._pause(pokes, waited)
            if self.reschedule:
                self._come_back(context, pause)
            self._sleep(pause)
            pokes += 1

    def _hand_over(self, context: Any) -> None:
        """End this process if the server can see by itself what it waits for."""
        if context.get("test_mode") or getattr(context.get("ti"), "watches", False) is not True:
            return
        if self._pokes_before(context):  # the server saw it before this poke did: then pokes decide
            return
        condition = self._watchable(poked=True)
        if condition is not None:
            self.log.info("The server waits for it from now on, without a process.")
            raise AirflowRescheduleException(timezone.utcnow(), condition=condition)

    @staticmethod
    def _sleep(seconds: float) -> None:
        """Sleep without an executor slot."""
        api = current_api()
        api.rest(True)
        try:
            time.sleep(seconds)
        finally:
            api.rest(False)

    def _poke_once(self, context: Any) -> Any:
        try:
            return self.poke(context)
        except (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException, TaskDeferralError) as error:
            self._give_up(error, f"Skipping due soft_fail is set to True: {error}")
            raise
        except AirflowSkipException:
            raise
        except Exception as error:
            if self.silent_fail:
                self.log.exception("Sensor poke failed")
                return False
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise

    def _give_up(self, error: BaseException, words: str) -> None:
        if self.soft_fail or self.never_fail:
            raise AirflowSkipException(words) from error

    def _time_out(self, waited: float) -> None:
        message = (
            f"Sensor has timed out; run duration of {waited} seconds exceeds the specified timeout of {self.timeout}."
        )
        if self.soft_fail:
            raise AirflowSkipException(message)
        raise AirflowSensorTimeout(message)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException:
            raise
        except (AirflowException, TaskDeferralError) as error:
            self._give_up(error, str(error))
            raise

    def _come_back(self, context: Any, pause: float) -> None:
        if context.get("test_mode"):
            raise AirflowRescheduleException(timezone.utcnow())
        at = timezone.utcnow() + timedelta(seconds=pause)
        raise AirflowRescheduleException(min(at, _MAX_RESCHEDULE))

    @staticmethod
    def _seconds_waited(context: Any) -> float:
        """How long ago the first poke was; zero in poke mode, unless the server has waited in its place."""
        waited = getattr(context.get("ti"), "seconds_waited", 0.0)
        return waited if isinstance(waited, float) else 0.0  # tests of DAGs bring their own stand-ins for `ti`

    @staticmethod
    def _pokes_before(context: Any) -> int:
        count = getattr(context.get("ti"), "poke_count", 0)
        return count if isinstance(count, int) else 0

    def _pause(self, pokes: int, waited: float) -> float:
        """Seconds until the next poke: poke_interval, or growing with jitter of the task's own, up to max_wait."""
        if not self.exponential_backoff:
            return self.poke_interval
        base = max(1, int(self.poke_interval * 2 ** min(pokes - 2, 100)))
        seed = f"{self.dag_id}#{self.task_id}#{pokes}"
        jitter = int(hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest(), 16) % base
        pause = min(base + jitter, self.timeout - int(waited))
        if self.max_wait is not None:
            pause = min(pause, self.max_wait.total_seconds())
        return float(max(0, pause))

    def _get_next_poke_interval(
        self, started_at: datetime | float, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        """Airflow's name, called by some providers."""
        return self._pause(poke_count, run_duration())


def _may_be_template(value: Any) -> bool:
    """Anything but plain texts without a sign of Jinja, and collections of them."""
    if isinstance(value, str):
        return any(sign in value for sign in ("{{", "{%", "{#"))
    if isinstance(value, list | tuple | set):
        return any(_may_be_template(item) for item in value)
    return value is not None


def poke_mode_only(cls: SensorT) -> SensorT:
    """Class decorator: the sensor keeps state between pokes, so only mode "poke" is allowed."""
    cls.valid_modes = ("poke",)
    return cls
