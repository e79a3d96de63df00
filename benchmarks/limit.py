"""The machine's own limit: fork, exit and wait of a process as large as the zygote. Prints forks per second.

    python benchmarks/limit.py [AT_ONCE [SECONDS]]

A fresh process imports what the zygote imports, then forks children that exit at once, AT_ONCE of them outstanding
(default: one per CPU). No scheduler that starts a process per task can be faster than this.
"""

from __future__ import annotations

import os
import sys
import time

SECONDS = 2.0


def forks_per_second(at_once: int, seconds: float) -> float:
    """How many children this process can fork, let exit, and wait for."""
    started = ended = 0
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        while started - ended < at_once:
            if os.fork() == 0:
                os._exit(0)
            started += 1
        os.wait()
        ended += 1
    while ended < started:
        os.wait()
        ended += 1
    return ended / (time.perf_counter() - begin)


if __name__ == "__main__":
    from asyncflow.worker.zygote import preload

    preload()
    at_once = int(sys.argv[1]) if len(sys.argv) > 1 else os.cpu_count() or 1
    print(forks_per_second(at_once, float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS))
