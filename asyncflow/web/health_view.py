"""What the health page shows: verdict, figures, a chart of the event loop's lag, what waits, processes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from asyncflow.core.census import Group
from asyncflow.core.models import TaskKey
from asyncflow.engine.measures import Process
from asyncflow.engine.monitor import BARS, Bar, Lag
from asyncflow.engine.server_pages import Alarms, Vitals
from asyncflow.web import address, views
from asyncflow.web.admin_view import size_text
from asyncflow.web.i18n import Language

#: seconds of the loop's lag, share and bytes of free disk, seconds in line: beyond these it is said
_LAG, _DISK_SHARE, _DISK_BYTES, _IN_LINE = 0.1, 0.05, 1_000_000_000, 10.0
#: processes and tasks of a process that are listed
_PROCESSES, _TASKS = 100, 3

#: what a group of instances waits for -> what is said of it
REASONS = {
    "running": "running",
    "starting": "have their slots; their processes are being started",
    "next": "next in line for a slot",
    "slots": "all executor slots are taken",
    "async_slots": "all places for async tasks are taken",
    "pool": "pool {name} has too few open slots",
    "dag_limit": "max_active_tasks of {name} is reached",
    "task_limit": "max_active_tis of a task of {name} is reached",
    "run": "the run has not started: max_active_runs of {name} is reached, or it is not due",
    "paused": "the DAG is paused, or no file defines it any more",
    "upstream": "wait for the tasks before them",
    "trigger": "deferred, until a trigger fires",
    "sensor": "sensors between two pokes",
    "retry": "wait for their next try",
}
#: kinds of hosts -> what is said of them
MODES = {
    "import": "forks tasks from the imported file",
    "bare": "each task imports the file",
    "parse": "imports the file",
    "loop": "triggers and async tasks",
}

#: of the chart, in pixels: width of a bar, height, room for the labels at the left
STEP, HEIGHT, LEFT = 6, 90, 58
WIDTH = LEFT + BARS * STEP
#: seconds at the bottom of the chart, and powers of ten above it
_FLOOR, _DECADES = 0.0001, 4
_LINES = ((0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLine:
    """Instances that wait for the same thing."""

    words: str
    count: int
    since: datetime | None
    seconds: float | None
    example: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLine:
    """One process."""

    name: str
    kind: str
    pid: str
    memory: str
    own: str
    tasks: Sequence[tuple[str, str]]  #: name and address
    more: int
    task_memory: str


class Column(NamedTuple):
    """One bar of the chart."""

    x: int
    y: float
    height: float
    p99_y: float
    p99_height: float
    title: str


class Problem(NamedTuple):
    """What somebody should look at."""

    words: str
    href: str = ""  #: where more of it stands


def urgent(it: Alarms, _: Language) -> list[Problem]:
    """What every page tells of."""
    found = []
    if it.trouble:
        found.append(Problem(it.trouble, "/admin/health"))
    if it.disk_total and (it.disk_free < _DISK_BYTES or it.disk_free / it.disk_total < _DISK_SHARE):
        found.append(Problem(_("The disk has only {size} left.", size=size_text(it.disk_free)), "/admin/health"))
    if it.jump is not None:
        far = _.duration(abs(it.jump.seconds))
        ahead = _("The clock of this machine jumped {time} ahead: it was set, or the machine slept.", time=far)
        back = _("The clock of this machine was set back by {time}.", time=far)
        found.append(Problem(ahead if it.jump.seconds > 0 else back, "/admin/log"))
    return found


def problems(it: Vitals, _: Language) -> list[Problem]:
    """What somebody should look at, a sentence each; empty when all is well."""
    found = urgent(it.alarms, _)
    if it.lag.p99 > _LAG:
        slow = _("The event loop is slow: every hundredth turn came {time} late or more.", time=_.duration(it.lag.p99))
        found.append(Problem(slow))
    if it.start_mode == "fork" and not any(process.kind == "zygote" for process in it.processes):
        gone = _("The process that DAG hosts are forked from does not run; it is being started.")
        found.append(Problem(gone, "/admin/log"))
    if not it.folder_exists:
        found.append(Problem(_("The DAG folder {folder} does not exist.", folder=it.folder), "/"))
    if it.import_errors:
        count = it.import_errors
        broken = _.n("{n} DAG file cannot be loaded.", "{n} DAG files cannot be loaded.", count)
        found.append(Problem(broken, "/?status=broken"))
    if it.late_runs:
        count = it.late_runs
        late = _.n("{n} active run has missed its deadline.", "{n} active runs have missed theirs.", count)
        found.append(Problem(late, "/sla-misses"))
    return found + [problem for group in it.census.groups if (problem := _overdue(group, it.now, _))]


def _overdue(group: Group, now: datetime, _: Language) -> Problem | None:
    """An instance that nothing keeps from starting, and that has not started."""
    age = _age(group, now)
    if group.kind not in ("next", "starting") or age is None or age <= _IN_LINE:
        return None
    words = _("{task} should have started {time} ago.", task=name(group.example), time=_.duration(age))
    return Problem(words, address.task_path(*group.example))


def name(key: TaskKey) -> str:
    """A task instance, in words."""
    return f"{key.dag_id}.{views.instance_name(key.task_id, key.map_index)}"


def _age(group: Group, now: datetime) -> float | None:
    return max(0.0, (now - group.since).total_seconds()) if group.since is not None else None


def wait_lines(it: Vitals, _: Language) -> list[WaitLine]:
    """What waits, by reason."""
    return [
        WaitLine(
            words=_(REASONS[group.kind], name=group.name)
            if "{name}" in REASONS[group.kind]
            else _(REASONS[group.kind]),
            count=group.number,
            since=group.since,
            seconds=_age(group, it.now),
            example=name(group.example),
            href=address.task_path(*group.example),
        )
        for group in it.census.groups
    ]


def process_lines(it: Vitals, _: Language) -> list[ProcessLine]:
    """The server, the zygote, and the hosts: those with work first."""
    ours = [process for process in it.processes if process.kind != "host"]
    hosts = sorted((p for p in it.processes if p.kind == "host"), key=lambda p: (-len(p.tasks), -p.rss))
    return [_process(process, _) for process in (*ours, *hosts)[:_PROCESSES]]


def _process(it: Process, _: Language) -> ProcessLine:
    kind = {"server": _("Server"), "zygote": _("What hosts are forked from")}.get(it.kind) or _(MODES[it.mode])
    labels = {"server": "asyncflow serve", "zygote": "zygote"}
    return ProcessLine(
        name=labels.get(it.kind) or it.file or _("triggers of packages"),
        kind=kind,
        pid=str(it.pid) if it.pid else _("starting"),
        memory=size_text(it.rss) if it.rss else "",
        own=size_text(it.own) if it.own else "",
        tasks=[(name(key), address.task_path(*key)) for key in it.tasks[:_TASKS]],
        more=max(0, len(it.tasks) - _TASKS),
        task_memory=size_text(it.task_rss) if it.task_rss else "",
    )


def chart(history: Sequence[Bar], _: Language) -> list[Column]:
    """Bars from the left, the newest at the right end; logarithmic."""
    first = WIDTH - len(history) * STEP
    return [
        Column(
            first + number * STEP,
            *_bar(bar.lag.most),
            *_bar(bar.lag.p99),
            f"{bar.at:%H:%M:%S} UTC: {milliseconds(bar.lag.p99)}, {_('at most')} {milliseconds(bar.lag.most)}",
        )
        for number, bar in enumerate(history)
    ]


def lines() -> list[tuple[float, str]]:
    """Heights and labels of the chart's lines."""
    return [(_height(seconds), label) for seconds, label in _LINES]


def _bar(seconds: float) -> tuple[float, float]:
    y = _height(seconds)
    return y, round(HEIGHT - y, 1)


def _height(seconds: float) -> float:
    """From above."""
    share = math.log10(max(seconds, _FLOOR) / _FLOOR) / _DECADES
    return round(HEIGHT - HEIGHT * min(share, 1.0), 1)


def milliseconds(seconds: float) -> str:
    """`0.3 ms`, `120 ms`."""
    value = seconds * 1000
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def three(lag: Lag) -> str:
    """Median, 99th percentile and maximum."""
    return " / ".join(map(milliseconds, lag))
