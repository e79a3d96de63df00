"""Which source code makes an import unrepeatable, and which only looks like it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from asyncflow.worker.repeatable import moments, scan

UNREPEATABLE = {
    "clock": ("from datetime import datetime\nSTAMP = datetime.now()", "reads the clock at line 2"),
    "alias": ("import datetime as dt\nSTAMP = dt.datetime.utcnow()", "reads the clock at line 2"),
    "date": ("from datetime import date\nx = date.today()", "reads the clock at line 2"),
    "time": ("import time\nt = time.time()", "reads the clock at line 2"),
    "pendulum": ("import pendulum\nt = pendulum.yesterday()", "reads the clock at line 2"),
    "days_ago": ("from airflow.utils.dates import days_ago\nargs = {'start_date': days_ago(2)}", "clock at line 2"),
    "timestamp": ("import pandas as pd\nt = pd.Timestamp.now()", "clock at line 2"),
    "random": ("import random\nx = random.randint(1, 6)", "uses randomness at line 2"),
    "random_name": ("from random import choice\nx = choice([1])", "uses randomness at line 2"),
    "numpy": ("import numpy as np\nx = np.random.rand()", "uses randomness at line 2"),
    "uuid": ("import uuid\nx = uuid.uuid4()", "uses randomness at line 2"),
    "pid": ("import os\nx = os.getpid()", "uses randomness at line 2"),
    "class_body": ("import time\nclass A:\n    t = time.time()", "clock at line 3"),
    "default": ("import time\ndef f(t=time.time()): pass", "clock at line 2"),
    "decorator": ("import time\n@g(time.time())\ndef f(): pass", "clock at line 2"),
    "called_function": ("import time\ndef f():\n    return time.time()\nx = f()", "clock at line 3"),
    "called_twice_removed": (
        "import time\ndef g(): return time.time()\ndef f(): return g()\nx = f()",
        "clock at line 2",
    ),
    "constructor": ("import time\nclass A:\n    def __init__(self): self.t = time.time()\na = A()", "clock at line 3"),
    "method": ("import time\nclass A:\n    def go(self): return time.time()\nx = A().go()", "clock at line 3"),
    "property": (
        "import time\nclass A:\n    @property\n    def now_(self): return time.time()\nx = A().now_",
        "clock at line 4",
    ),
    "dag_function": ("import time\n@dag(schedule=None)\ndef d():\n    t = time.time()\nd()", "clock at line 4"),
    "task_group_function": ("import time\n@task_group\ndef g():\n    t = time.time()\ng()", "clock at line 4"),
    "mapped_over": ("import time\ndef f(x): return time.time()\nx = list(map(f, [1]))", "clock at line 2"),
    "called_lambda": ("import time\nx = sorted([1], key=lambda v: time.time())", "clock at line 2"),
    "inside_with": ("import time\nwith DAG('d') as dag:\n    t = time.time()", "clock at line 3"),
    "comprehension": ("import time\nx = [time.time() for _ in range(3)]", "clock at line 2"),
}

REPEATABLE = {
    "function_body": "import time\ndef f(): return time.time()",
    "python_callable": "import time\ndef f(): return time.time()\nPythonOperator(task_id='a', python_callable=f)",
    "lambda_handed_over": "import time\nPythonOperator(task_id='a', python_callable=lambda: time.time())",
    "task_function": "import time\n@task\ndef f(): return time.time()\nwith DAG('d'):\n    f()",
    "task_branch": "import time\n@task.branch(retries=1)\ndef f(): return time.time()\nf()",
    "setup": "import time\n@setup\ndef f(): return time.time()\nf()",
    "template": "BashOperator(task_id='a', bash_command='{{ macros.datetime.now() }}')",
    "fixed_date": "from datetime import datetime\nx = datetime(2026, 1, 1)",
    "environment_is_read": "import os\nx = os.environ['HOME'], os.getenv('HOME')",
    "environment_is_written": "import os\nos.environ['no_proxy'] = '*'",
    "main_guard": "import time\nif __name__ == '__main__':\n    print(time.time())",
    "uuid5": "import uuid\nx = uuid.uuid5(uuid.NAMESPACE_DNS, 'x')",
    "execute_method": "import time\nclass Op:\n    def execute(self, context): return time.time()\nOp(task_id='x')",
}


@pytest.mark.parametrize("case", UNREPEATABLE)
def test_code_that_runs_at_import_is_found(case: str) -> None:
    source, reason = UNREPEATABLE[case]
    reasons = scan({"a.py": source}, "a.py")
    assert any(reason in found for found in reasons), reasons


@pytest.mark.parametrize("case", REPEATABLE)
def test_code_that_runs_in_tasks_is_not_held_against_a_file(case: str) -> None:
    assert scan({"a.py": REPEATABLE[case]}, "a.py") == {}


def test_a_helper_is_followed_and_named() -> None:
    sources = {
        "/d/a.py": "from helper import make\nmake()",
        "/d/helper.py": "import time\ndef make(): return time.time()\ndef unused(): return time.time_ns()",
    }
    assert list(scan(sources, "/d/a.py")) == ["reads the clock at line 2 of helper.py"]


def test_what_is_not_python_is_passed_over() -> None:
    assert scan({"a.py": "def ("}, "a.py") == {}


NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    "value",
    [NOW, NOW.replace(tzinfo=None), LATER.timestamp(), date(2026, 5, 1)],
    ids=["aware", "naive", "epoch", "day"],
)
def test_a_global_that_holds_the_present_came_from_the_clock(value: object) -> None:
    assert list(moments({"STAMP": value}, NOW, LATER)) == ["STAMP holds the time of the import"]


@pytest.mark.parametrize("value", [NOW - timedelta(1), 3.0, "text", None, date(2020, 1, 1), datetime.max])
def test_other_globals_did_not(value: object) -> None:
    assert moments({"STAMP": value}, NOW, LATER) == {}
