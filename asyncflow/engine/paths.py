"""Where the log of a try lies: Airflow's layout below the logs folder.

dag_id=<dag>/run_id=<run>/task_id=<task>/[map_index=<n>/]attempt=<try>.log
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

#: What may stand in a file name as it is; everything else (slashes above all) is percent-encoded.
_SAFE = "+:@,;=()[]{}!~ "


def log_path(logs: Path, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> Path:
    """The log file of one try. No id can lead out of `logs`: each stands behind a prefix in a name of its own."""
    folder = logs / f"dag_id={quote(dag_id, safe=_SAFE)}" / f"run_id={quote(run_id, safe=_SAFE)}"
    folder /= f"task_id={quote(task_id, safe=_SAFE)}"
    if map_index >= 0:
        folder /= f"map_index={map_index}"
    return folder / f"attempt={try_number}.log"
