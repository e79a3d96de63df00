"""The pool with real children: imports, tries, versions, kills."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from asyncflow.core.messages import AskTimetable, CallbackDone, RunCallback
from asyncflow.executors.base import HostLost
from asyncflow.ipc import procfs
from tests.executors.pools import HEAD, content_of, running_pool, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


#: the body of a task that ends when the test makes a file
AT_GATE = """
    import os, time
    while not os.path.exists(GATE): time.sleep(0.005)
    return "opened"
"""


def a_file(body: str = "    return 42", dag_id: str = "d", before: str = "", tasks: int = 1) -> str:
    """A DAG file with tasks "work" (or "work_0", ...) that run `body`."""
    names = ["work"] if tasks == 1 else [f"work_{n}" for n in range(tasks)]
    lines = "\n".join(f"    PythonOperator(task_id='{name}', python_callable=work)" for name in names)
    return f"{HEAD}\n{before}\ndef work(**context):\n{body}\nwith DAG('{dag_id}', schedule=None):\n{lines}\n"


async def test_parse_answers_with_the_dags_of_a_file(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file())
    assert [spec.dag_id for spec in parsed.dags] == ["d"]
    assert list(parsed.dags[0].tasks) == ["work"]
    assert parsed.unrepeatable == ()
    assert not parsed.refresh


async def test_a_try_runs_in_its_own_session_and_logs_to_its_file(tmp_path: Path) -> None:
    body = "    import os\n    print('pid', os.getpid(), os.getsid(0), os.getpgid(0))\n    return 42"
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file(body))
        info = h.start(parsed, "d")
        started = await h.started(info)
        finished = await h.finished(info)
    assert finished.result is not None
    assert finished.result.outcome == "success", h.log(info)
    assert finished.result.xcoms == {"return_value": "42"}
    assert finished.exit_code == 0
    assert finished.peak_rss_kb > 1000
    pid = started.process.pid
    assert f"pid {pid} {pid} {pid}" in h.log(info)


async def test_a_failing_task_tells_its_error_and_exits_with_1(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file("    raise ValueError('told to fail')"))
        finished, log = await h.run(parsed, "d")
    assert finished.result is not None
    assert finished.result.outcome == "failed"
    assert finished.result.error == "ValueError: told to fail"
    assert finished.exit_code == 1
    assert "told to fail" in log


async def test_twenty_tries_run_at_once_and_draw_different_random_numbers(tmp_path: Path) -> None:
    body = "    return random.random()"
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file(body, before="import random", tasks=20))
        infos = [h.start(parsed, "d", f"work_{n}") for n in range(20)]
        results = [(await h.finished(info)).result for info in infos]
    assert len({result.xcoms["return_value"] for result in results if result}) == 20


@pytest.mark.parametrize(
    ("body", "signal_number", "exit_code"),
    [
        ("    import os; os.kill(os.getpid(), 11)", 11, None),
        ("    import os; os._exit(7)", None, 7),
        ("    import os; os.kill(os.getpid(), 9)", 9, None),
    ],
    ids=["segfault", "os._exit", "sigkill"],
)
async def test_the_kernel_tells_how_a_try_died(
    tmp_path: Path, body: str, signal_number: int | None, exit_code: int | None
) -> None:
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file(body))
        finished, _ = await h.run(parsed, "d")
    assert finished.result is None
    assert (finished.signal, finished.exit_code) == (signal_number, exit_code)


async def test_a_killed_try_ends_with_its_children_even_those_in_sessions_of_their_own(tmp_path: Path) -> None:
    body = """
    import os, signal, subprocess, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    print("child", child.pid, flush=True)
    with open(MARK + ".part", "w") as file: file.write(str(child.pid))
    os.replace(MARK + ".part", MARK)
    while True: time.sleep(1)
"""
    mark = tmp_path / "mark"
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file(body, before=f"MARK = {str(mark)!r}"))
        info = h.start(parsed, "d")
        child = procfs.identity(int(await content_of(mark)))
        h.pool.kill_try(info.token, "test", 0.1)
        finished = await h.finished(info)
        await until(lambda: not procfs.is_alive(child))
    assert finished.signal == signal.SIGKILL
    assert not finished.oom_killed


async def test_processes_a_task_leaves_in_its_group_are_ended_with_it(tmp_path: Path) -> None:
    body = "    import subprocess\n    return subprocess.Popen(['sleep', '600']).pid"
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file(body))
        finished, _ = await h.run(parsed, "d")
        assert finished.result is not None
        left = int(finished.result.xcoms["return_value"])
        await until(lambda: not procfs.is_alive(procfs.identity(left)))


async def test_an_unrepeatable_file_is_imported_afresh_by_each_try(tmp_path: Path) -> None:
    source = a_file("    return STAMP.isoformat()", before="from datetime import datetime\nSTAMP = datetime.now()")
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", source)
        stamps = set()
        for _ in range(3):
            finished, _ = await h.run(parsed, "d")
            assert finished.result is not None
            stamps.add(finished.result.xcoms["return_value"])
    assert any("clock" in reason for reason in parsed.unrepeatable)
    assert parsed.refresh
    assert len(stamps) == 3


async def test_twenty_tries_at_once_of_a_file_with_a_thread_and_a_database_open(tmp_path: Path) -> None:
    before = f"""
import sqlite3, threading, time
connection = sqlite3.connect({str(tmp_path / "x.db")!r})
connection.execute("create table if not exists t (n)")
connection.commit()
lock = threading.Lock()
def spin():
    while True:
        with lock:
            time.sleep(0.001)
threading.Thread(target=spin, daemon=True).start()
"""
    body = "    with lock:\n        return connection.execute('select count(*) from t').fetchone()[0]"
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file(body, before=before, tasks=20))
        assert parsed.unrepeatable
        infos = [h.start(parsed, "d", f"work_{n}") for n in range(20)]
        for info in infos:
            finished = await h.finished(info)
            assert finished.result is not None, (finished, h.log(info))
            assert finished.result.outcome == "success", h.log(info)


async def test_a_kept_version_runs_although_the_file_is_broken_now(tmp_path: Path) -> None:
    async with running_pool(tmp_path, max_hosts=0) as h:
        good = await h.parse_good("a.py", a_file("    return 'good'"))
        fresh = await h.parse_good(
            "b.py", a_file("    return 'fresh'", dag_id="e", before="import time; t = time.time()")
        )
        for name in ("a.py", "b.py"):
            assert (await h.parse(name, "this is no python")).error is not None
        for parsed, dag_id, value in ((good, "d", '"good"'), (fresh, "e", '"fresh"')):
            finished, log = await h.run(parsed, dag_id)
            assert finished.result is not None
            assert finished.result.xcoms == {"return_value": value}, log


async def test_a_task_that_left_the_file_fails_with_a_sentence(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file())
        finished, _ = await h.run(parsed, "d", "gone")
    assert finished.result is not None
    assert "has no task 'gone' any more" in str(finished.result.error)


async def test_a_variable_asked_for_at_import_is_remembered(tmp_path: Path) -> None:
    source = a_file(before="from airflow.models import Variable\nV = Variable.get('colour')")
    async with running_pool(tmp_path) as h:
        h.variables["colour"] = "red"
        parsed = await h.parse_good("a.py", source)
    assert parsed.variables == ("colour",)
    assert parsed.unrepeatable == ()


async def test_dag_callbacks_run_in_a_process_of_their_own(tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = f"""{HEAD}
def note(context):
    with open({str(out)!r}, "a") as file:
        file.write(f"{{context['reason']}} {{context['dag'].dag_id}}")
def broken(context):
    raise RuntimeError("no")
with DAG("d", schedule=None, on_success_callback=note, on_failure_callback=broken):
    PythonOperator(task_id="work", python_callable=print)
"""
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", source)
        run = h.info("d").run
        for number, kind in enumerate(("dag_success", "dag_failure")):
            callback = RunCallback(
                callback_id=str(number), kind=kind, dag_id="d", run=run, reason="over", log_path=str(tmp_path / "log")
            )
            h.pool.run_callback(parsed.file, parsed.content_hash, False, callback)
        good = await h.message(CallbackDone, lambda m: m.callback_id == "0")
        bad = await h.message(CallbackDone, lambda m: m.callback_id == "1")
    assert good.error is None
    assert out.read_text() == "over d"
    assert "RuntimeError: no" in str(bad.error)


@pytest.mark.parametrize("clock", [False, True], ids=["import", "bare"])
async def test_a_custom_timetable_is_asked_in_a_child(tmp_path: Path, clock: bool) -> None:
    source = f"""{HEAD}
from datetime import datetime, timedelta
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable
{"import time; t = time.time()" if clock else ""}
class Odd(Timetable):
    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        if last_automated_data_interval is None:
            raise ValueError("I need a start")
        start = last_automated_data_interval.end
        return DagRunInfo.interval(start, start + timedelta(hours=7))
    def infer_manual_data_interval(self, *, run_after):
        return DataInterval(run_after, run_after)
with DAG("d", schedule=Odd(), start_date=datetime(2026, 1, 1)):
    PythonOperator(task_id="work", python_callable=print)
"""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", source)
        question = AskTimetable(
            request_id="1", dag_id="d", question="next", last_start=begin, last_end=begin, catchup=True, now=begin
        )
        answer = await h.pool.ask_timetable(parsed.file, parsed.content_hash, question)
        assert answer.error is None
        assert answer.end == datetime(2026, 1, 1, 7, tzinfo=UTC)
        nothing = AskTimetable(request_id="2", dag_id="d", question="next", now=begin)
        answer = await h.pool.ask_timetable(parsed.file, parsed.content_hash, nothing)
        assert "I need a start" in str(answer.error)


async def test_idle_hosts_beyond_the_limit_are_stopped_and_started_again_on_demand(tmp_path: Path) -> None:
    async with running_pool(tmp_path, max_hosts=1) as h:
        first = await h.parse_good("a.py", a_file(dag_id="a"))
        second = await h.parse_good("b.py", a_file(dag_id="b"))
        for parsed, dag_id in ((first, "a"), (second, "b"), (first, "a")):
            finished, log = await h.run(parsed, dag_id)
            assert finished.result is not None, log
            assert finished.result.outcome == "success"


async def test_a_host_that_is_idle_for_long_ends_and_its_file_still_runs(tmp_path: Path) -> None:
    source = a_file("    return os.getppid()", before="import os")
    async with running_pool(tmp_path, host_idle_timeout=0.2) as h:
        parsed = await h.parse_good("a.py", source)
        pids = []
        for _ in range(2):
            finished, log = await h.run(parsed, "d")
            assert finished.result is not None, log
            pids.append(int(finished.result.xcoms["return_value"]))
            await until(lambda: not Path(f"/proc/{pids[-1]}").exists())
    assert pids[0] != pids[1]


async def test_a_retired_host_serves_its_running_try_to_the_end(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file(AT_GATE, before=f"GATE = {str(gate)!r}"))
        info = h.start(parsed, "d")
        await h.started(info)
        h.pool.retire(parsed.file, parsed.content_hash)
        gate.touch()
        finished = await h.finished(info)
    assert finished.result is not None
    assert finished.result.xcoms == {"return_value": '"opened"'}


async def test_a_try_survives_the_death_of_its_host_and_of_the_zygote(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with running_pool(tmp_path) as h:
        parsed = await h.parse_good("a.py", a_file(AT_GATE, before=f"GATE = {str(gate)!r}"))
        kept, lost = h.start(parsed, "d"), h.start(parsed, "d", try_number=2)
        pids = [(await h.started(info)).process.pid for info in (kept, lost)]
        host = _parent(pids[0])
        os.kill(_parent(host), signal.SIGKILL)
        os.kill(host, signal.SIGKILL)
        await until(lambda: _parent(pids[0]) != host)
        os.kill(pids[1], signal.SIGKILL)
        gone = await h.message(HostLost)
        gate.touch()
        finished = await h.finished(kept, ack=False)
        assert gone.tokens == (lost.token,)
        assert finished.result is not None
        assert finished.result.xcoms == {"return_value": '"opened"'}
        assert [message.token for message in h.pool.read_spool()] == [kept.token]
        h.pool.ack(kept.token)
        assert h.pool.read_spool() == []
        again, _ = await h.run(parsed, "d", "gone")  # by a new host of a new zygote
        assert again.result is not None


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_the_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    async with running_pool(tmp_path) as h:
        assert h.settings.socket.stat().st_mode & 0o777 == 0o600
    assert not h.settings.socket.exists()


async def test_spawn_mode_does_the_same_in_fresh_interpreters(tmp_path: Path) -> None:
    source = a_file(
        "    import os\n    return os.getppid()", before="from datetime import datetime\nT = datetime.now()"
    )
    async with running_pool(tmp_path, start_mode="spawn") as h:
        parsed = await h.parse_good("a.py", source)
        info = h.start(parsed, "d")
        started = await h.started(info)
        finished = await h.finished(info)
        broken = await h.parse("b.py", "import os\nos._exit(3)")
        question = AskTimetable(request_id="1", dag_id="d", question="next", now=datetime.now(UTC))
        answer = await h.pool.ask_timetable(parsed.file, parsed.content_hash, question)
    assert finished.result is not None, h.log(info)
    assert finished.result.outcome == "success", h.log(info)
    assert started.process.pid > 0
    assert broken.error is not None
    assert "exit code 3" in broken.error.message
    assert answer.error is None
