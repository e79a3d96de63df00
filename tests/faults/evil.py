"""DAG files that harm whoever imports them: name -> (source, kind of the import error, words of its message)."""

from __future__ import annotations

HEAD = "from airflow import DAG\nfrom airflow.operators.empty import EmptyOperator\n"
DAG = "with DAG('{name}', schedule=None):\n    EmptyOperator(task_id='t')\n"

#: None as kind: the file loads, the harm is contained
EVIL: dict[str, tuple[str, str | None, str]] = {
    "syntax_error": ("def (:\n", "SyntaxError", "invalid syntax"),
    "unknown_encoding": ("# -*- coding: nope -*-\n", "SyntaxError", "nope"),
    "null_bytes": ("x = 1\n\0\n", "SyntaxError", "null bytes"),
    "bad_indent": ("if True:\n  x = 1\n    y = 2\n", "IndentationError", "indent"),
    "raises": ("raise RuntimeError('told to')\n", "RuntimeError", "told to"),
    "divides": ("x = 1\ny = x / 0\n", "ZeroDivisionError", "division by zero"),
    "missing_module": ("import there_is_no_such_module\n", "ModuleNotFoundError", "there_is_no_such_module"),
    "missing_airflow_name": ("from airflow.operators.bash import BushOperator\n", "ImportError", "BushOperator"),
    "keyboard_interrupt": ("raise KeyboardInterrupt\n", "KeyboardInterrupt", ""),
    "generator_exit": ("raise GeneratorExit('odd')\n", "GeneratorExit", "odd"),
    "unprintable_error": (
        "class Bad(Exception):\n    def __str__(self): raise RuntimeError\n    __repr__ = __str__\nraise Bad\n",
        "Bad",
        "",
    ),
    "endless_loop": ("while True: pass\n", "timeout", "took longer than 2 s"),
    "endless_loop_in_c": ("sum(iter(int, 1))\n", "timeout", "took longer than 2 s"),
    "swallows_everything": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass\n",
        "timeout",
        "took longer than 2 s",
    ),
    "sleeps": ("import time\ntime.sleep(60)\n", "timeout", "took longer than 2 s"),
    "blocks_its_alarm": (
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\ntime.sleep(60)\n",
        "timeout",
        "had to be killed",
    ),
    "sys_exit": ("import sys\nsys.exit(3)\n", "exit", "sys.exit(3)"),
    "os_exit": ("import os\nos._exit(4)\n", "exit", "exit code 4"),
    "segfault": ("import ctypes\nctypes.string_at(0)\n", "killed", "SIGSEGV"),
    "aborts": ("import os\nos.abort()\n", "killed", "SIGABRT"),
    "kills_itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "killed", "SIGKILL"),
    "kills_its_group": ("import os, signal\nos.killpg(0, signal.SIGKILL)\n", "killed", "SIGKILL"),
    "recursion": ("def f(): return f()\nf()\n", "RecursionError", "recursion"),
    "deep_recursion": (
        "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n    def __getattr__(self, n): return repr(self)\n"
        "    def __repr__(self): return str([self])\nrepr(A())\n",
        "killed",
        "SIGSEGV",
    ),
    "allocates": ("x = bytearray(2 << 30)\n", "memory", "256 MiB"),
    "hoards": ("x = []\nwhile True: x.append(bytearray(1 << 20))\n", "memory", "256 MiB"),
    "prints_for_ever": ("while True: print('x' * 1000)\n", "output", "prints more than 64 KiB"),
    "prints_a_gigabyte": (
        "import os\nfor _ in range(1 << 14): os.write(1, b'x' * (1 << 16))\n",
        "output",
        "prints more than 64 KiB",
    ),
    "reads_stdin": ("input()\n", "EOFError", ""),
    "closes_everything": ("import os\nos.closerange(0, 1000)\nwhile True: pass\n", None, ""),
    "cycle": (
        HEAD + "with DAG('c', schedule=None):\n    a = EmptyOperator(task_id='a')\n    b = EmptyOperator(task_id='b')\n"
        "    a >> b >> a\n",
        "AirflowDagCycleException",
        "",
    ),
    "duplicate_task": (
        HEAD + "with DAG('c', schedule=None):\n    EmptyOperator(task_id='a')\n    EmptyOperator(task_id='a')\n",
        "DuplicateTaskIdFound",
        "'a'",
    ),
    "bad_cron": (
        HEAD + "dag = DAG('c', schedule='61 * * * *', start_date=__import__('datetime').datetime(2026, 1, 1))\n",
        "",
        "61",
    ),
    "bad_argument": (HEAD + "DAG('c', schedule=None, shedule=1)\n", "TypeError", "shedule"),
    # contained: these load
    "thread": (
        HEAD + "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n" + DAG,
        None,
        "",
    ),
    "busy_thread": (
        HEAD
        + "import threading\ndef f():\n    while True: pass\nthreading.Thread(target=f, daemon=True).start()\n"
        + DAG,
        None,
        "",
    ),
    "chdir": (HEAD + "import os\nos.chdir('/')\n" + DAG, None, ""),
    "environment": (HEAD + "import os\nos.environ.clear()\nos.environ['HOME'] = '/nowhere'\n" + DAG, None, ""),
    "signals": (
        HEAD + "import signal\nfor n in (signal.SIGCHLD, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)\n" + DAG,
        None,
        "",
    ),
    "closes_stdout": (HEAD + "import sys\nsys.stdout.close()\nsys.stderr = None\n" + DAG, None, ""),
    "forks": (HEAD + "import os\nos.fork()\n" + DAG, None, ""),
    "leaves_a_process": (HEAD + "import subprocess\nsubprocess.Popen(['sleep', '600'])\n" + DAG, None, ""),
    "breaks_builtins": (HEAD + "import builtins, os, json\nbuiltins.print = builtins.open = None\n" + DAG, None, ""),
    "deletes_itself": (HEAD + "import os\nos.unlink(__file__)\n" + DAG, None, ""),
}

#: "closes_everything" loses the connection to the server, then loops: what is said depends on who notices first;
#: "deletes_itself" may be gone before its result is
ENDS_SOMEHOW = frozenset({"closes_everything", "deletes_itself"})


def source_of(name: str) -> str:
    return "# airflow dag\n" + EVIL[name][0].replace("{name}", name)
