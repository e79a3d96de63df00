"""Makes the database of a busy year: 1,000 DAGs, 100,000 runs, 2,000,000 task instances, for measuring pages.

One DAG, `big`, has 1,000 tasks; the others have 19 each. Every DAG has as many runs, one a day back from now; the
newest run of every tenth DAG is running, and in every seventh run a task failed. Deterministic. Run:
python benchmarks/fill.py HOME
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from asyncflow.core.messages import Parsed
from asyncflow.core.models import Pool
from asyncflow.core.specs import DagSpec, TaskGroupSpec, TaskSpec
from asyncflow.core.timetable import CronIntervalTimetable
from asyncflow.store.database import Store

DAY = 86_400_000_000
OPERATORS = ("PythonOperator", "BashOperator", "EmptyOperator", "SQLExecuteQueryOperator")
TEAMS = ("finance", "growth", "platform", "risk", "search")


class Size(NamedTuple):
    """How much is made."""

    dags: int = 1000
    runs: int = 100  #: of each DAG
    tasks: int = 19  #: of each DAG but `big`
    big: int = 1000  #: tasks of `big`


def dag_ids(size: Size) -> list[str]:
    """`big`, then `team_0001` and so on."""
    return ["big", *(f"{TEAMS[n % len(TEAMS)]}_{n:04d}" for n in range(1, size.dags))]


def a_dag(dag_id: str, count: int) -> DagSpec:
    """Groups of ten tasks, each a chain that follows the first task of the group before."""
    ids = [f"group_{n // 10:02d}.task_{n:04d}" for n in range(count)]
    upstream = {task: _upstream(ids, n) for n, task in enumerate(ids)}
    downstream: dict[str, list[str]] = {task: [] for task in ids}
    for task, above in upstream.items():
        for one in above:
            downstream[one].append(task)
    tasks = {
        task: TaskSpec(
            task_id=task,
            label=task.partition(".")[2],
            group_id=task.partition(".")[0],
            operator=OPERATORS[n % len(OPERATORS)],
            upstream=upstream[task],
            downstream=tuple(sorted(downstream[task])),
        )
        for n, task in enumerate(ids)
    }
    groups = {
        name: TaskGroupSpec(group_id=name, label=name, children=tuple(t for t in ids if t.startswith(f"{name}.")))
        for name in dict.fromkeys(task.partition(".")[0] for task in ids)
    }
    team = dag_id.partition("_")[0]
    return DagSpec(
        dag_id=dag_id,
        file=f"{dag_id}.py",
        owner=team,
        tags=(team, "daily"),
        description=f"Daily work of {team}",
        timetable=CronIntervalTimetable(expression="0 3 * * *", timezone="UTC"),
        schedule_text="0 3 * * *",
        tasks=tasks,
        groups=groups,
    )


def _upstream(ids: list[str], n: int) -> tuple[str, ...]:
    if n == 0:
        return ()
    return (ids[n - 1],) if n % 10 else (ids[n - 10],)


async def put_dags(home: Path, size: Size, now: datetime) -> None:
    """The DAGs, each from a file of its own; every third is paused."""
    async with await Store.open(home / "asyncflow.db") as store:
        await store.put_pool(Pool(name="default_pool", slots=128))
        for n, dag_id in enumerate(dag_ids(size)):
            spec = a_dag(dag_id, size.big if dag_id == "big" else size.tasks)
            parsed = Parsed(host_id="fill", file=spec.file, source=f"# {dag_id}\n")
            await store.save_dags(spec.file, [(spec, "v1")], parsed=parsed, now=now, paused_at_creation=n % 3 == 1)


RUN = """INSERT INTO dag_run (id, dag_id, run_id, run_type, state, logical_date, data_interval_start,
data_interval_end, run_after, queued_at, started_at, ended_at, version, triggered_by)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""
TASK = """INSERT INTO task_instance (run, task_id, map_index, state, try_number, max_tries, token, scheduled_at,
queued_at, started_at, ended_at, poke_count, skips, priority_weight, pool, pool_slots, operator)
VALUES (?,?,-1,?,?,1,?,?,?,?,?,0,'[]',1,'default_pool',1,?)"""
TRY = """INSERT INTO task_try (run, task_id, map_index, try_number, token, state, queued_at, started_at, ended_at,
exit_code, cpu_seconds, peak_rss_kb, version) VALUES (?,?,-1,1,?,?,?,?,?,0,0.5,50000,'v1')"""
LINE = """INSERT INTO journal (at, event, dag_id, run_id, task_id, map_index, try_number, before, after, actor)
VALUES (?,?,?,?,'',-1,0,?,?,'scheduler')"""


NEXT = f"""UPDATE dag SET next_logical_date = last.start, next_interval_start = last.start,
next_interval_end = last.start + {DAY}, next_run_after = last.start + {DAY}
FROM (SELECT dag_id, max(data_interval_end) AS start FROM dag_run GROUP BY dag_id) AS last
WHERE last.dag_id = dag.dag_id"""


class Instance(NamedTuple):
    """What is stored of one task instance."""

    task_id: str
    state: str
    token: str | None
    started: int | None
    ended: int | None
    operator: str


def run_rows(size: Size, now: int) -> Iterator[tuple[Any, ...]]:
    """Rows of dag_run: all DAGs of the oldest day first, as time would have made them."""
    today = now - now % DAY + 3 * 3_600_000_000 - DAY
    number = 0
    ids = dag_ids(size)
    for day in range(size.runs):
        start = today - (size.runs - day) * DAY
        for place, dag_id in enumerate(ids):
            number += 1
            active = day == size.runs - 1 and place % 10 == 0
            state = "running" if active else "failed" if (number % 7 == 0) else "success"
            begun = start + DAY + place * 50_000
            ended = None if active else begun + (600 + number * 37 % 900) * 1_000_000
            run_id = f"scheduled__{moment(start)}"
            interval = (start, start, start + DAY, start + DAY)
            yield (number, dag_id, run_id, "scheduled", state, *interval, begun, begun, ended, "v1", "scheduler")


def moment(micros: int) -> str:
    """As run ids have it."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).isoformat()


def instances(run: tuple[Any, ...], tasks: list[tuple[str, str]]) -> Iterator[Instance]:
    """The instances of a run: the last third is missing while it runs; one failed takes those after it along."""
    number, state, begun = run[0], run[4], run[10]
    step = 15_000_000
    bad = number % len(tasks) if state == "failed" else len(tasks)
    done = len(tasks) * 2 // 3 if state == "running" else len(tasks)
    for n, (task_id, operator) in enumerate(tasks):
        started = begun + n * step
        ended = started + (1 + (number * 31 + n * 17) % 14) * 1_000_000
        if n < min(bad, done):
            yield Instance(task_id, "success", f"t{number}", started, ended, operator)
        elif n == bad:
            yield Instance(task_id, "failed", f"t{number}", started, ended, operator)
        elif state == "failed":
            yield Instance(task_id, "upstream_failed", None, None, ended, operator)
        elif n == done:
            yield Instance(task_id, "running", f"t{number}-{n}", started, None, operator)
        else:
            yield Instance(task_id, "none", None, None, None, operator)


def put_runs(home: Path, size: Size, now: datetime) -> dict[str, int]:
    """All runs with their task instances; tries and journal lines too. How many rows of each."""
    small = [(t.task_id, t.operator) for t in a_dag("x", size.tasks).tasks.values()]
    large = [(t.task_id, t.operator) for t in a_dag("big", size.big).tasks.values()]
    counts = {"dags": size.dags, "runs": 0, "task instances": 0}
    with closing(sqlite3.connect(home / "asyncflow.db", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        for run in run_rows(size, int(now.timestamp() * 1_000_000)):
            number, dag_id, run_id, state = run[0], run[1], run[2], run[4]
            db.execute(RUN, run)
            tis = list(instances(run, large if dag_id == "big" else small))
            db.executemany(
                TASK,
                (
                    (number, ti.task_id, ti.state, int(ti.started is not None), ti.token)
                    + (ti.started, ti.started, ti.started, ti.ended, ti.operator)
                    for ti in sorted(tis)
                ),
            )
            if number > size.dags * (size.runs - 2):  # the tries of the newest two runs are enough to look at
                tried = (ti for ti in tis if ti.token)
                rows = ((number, ti.task_id, ti.token, ti.state, ti.started, ti.started, ti.ended) for ti in tried)
                db.executemany(TRY, rows)
            db.execute(LINE, (run[9], "run.created", dag_id, run_id, "", "queued"))
            db.execute(LINE, (run[11] or run[10], f"run.{state}", dag_id, run_id, "queued", state))
            counts["runs"] += 1
            counts["task instances"] += len(tis)
        db.execute(NEXT)
        db.execute("COMMIT")
        db.execute("ANALYZE")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return counts


def fill(home: Path, size: Size, now: datetime) -> dict[str, int]:
    """Make the database `home`/asyncflow.db, which must not exist yet. How many rows of each kind."""
    home.mkdir(parents=True, exist_ok=True)
    if (home / "asyncflow.db").exists():
        raise SystemExit(f"{home / 'asyncflow.db'} exists already; give an empty folder.")
    anyio.run(put_dags, home, size, now)
    return put_runs(home, size, now)


def main() -> None:
    """Fill a folder and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    for name, default in Size()._asdict().items():
        parser.add_argument(f"--{name}", type=int, default=default)
    args = vars(parser.parse_args())
    home = args.pop("home")
    before = time.perf_counter()
    counts = fill(home, Size(**args), datetime.now(UTC))
    made = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    print(f"{made} in {time.perf_counter() - before:.0f} s: {home / 'asyncflow.db'}")


if __name__ == "__main__":
    main()
