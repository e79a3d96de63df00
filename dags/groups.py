"""Task groups, and a scratch folder that is made before the work and removed after it, whatever happens."""

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from airflow.decorators import dag, setup, task, task_group, teardown
from airflow.operators.bash import BashOperator


@dag(schedule="@weekly", start_date=datetime(2026, 1, 1), catchup=False, tags=["airflow"])
def groups():
    @setup
    def make_folder() -> str:
        return tempfile.mkdtemp(prefix="asyncflow-example-")

    @teardown
    def remove_folder(folder: str):
        shutil.rmtree(folder)

    @task_group
    def write(folder: str):
        """Two files, written at the same time."""
        for name in ("left", "right"):
            BashOperator(
                task_id=name,
                bash_command=f'echo {name} > "$FOLDER/{name}.txt"',
                env={"FOLDER": folder},
                append_env=True,
            )

    @task
    def read(folder: str) -> str:
        return " and ".join(sorted(path.read_text().strip() for path in Path(folder).iterdir()))

    folder = make_folder()
    folder >> write(folder) >> read(folder) >> remove_folder(folder)


groups()
