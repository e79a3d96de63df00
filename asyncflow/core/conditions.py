"""What a sensor waits for, as data: conditions that the server can see by itself, without a process that pokes.

A standard sensor gives one when its file is loaded, or, when its fields are templates, after the first poke in a
process. `core.watching` decides when they are met. Pure data; times are aware UTC.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

import msgspec


class _Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class MomentPassed(_Condition, tag="moment", frozen=True, kw_only=True):
    """A moment is over."""

    at: datetime


class IntervalOver(_Condition, tag="interval", frozen=True, kw_only=True):
    """`delta` has passed since the end of the run's data interval (else its logical date, or its start)."""

    delta: timedelta


class TimeOfDay(_Condition, tag="time_of_day", frozen=True, kw_only=True):
    """The clock in a time zone shows more than `time`."""

    time: time
    timezone: str


class OtherRun(_Condition, tag="other_run", frozen=True, kw_only=True):
    """A run of a DAG, or tasks in it, are in certain states; the run has this one's logical date minus `delta`.

    `task_ids` or `group_id`; neither: the run itself. All of them in `allowed` is the end of the waiting; any of them
    in `failed` or `skipped` is another end.
    """

    dag_id: str
    task_ids: tuple[str, ...] = ()
    group_id: str | None = None
    delta: timedelta = timedelta(0)
    allowed: tuple[str, ...] = ("success",)
    failed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


class FilePresent(_Condition, tag="file", frozen=True, kw_only=True):
    """A file matches the pattern, or lies in a folder that does. Looked for every `poke_interval`."""

    pattern: str
    recursive: bool = False


Condition = MomentPassed | IntervalOver | TimeOfDay | OtherRun | FilePresent
