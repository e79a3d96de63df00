"""Many DAGs from one file: one per entry of factory.yaml. Edit the YAML, and the DAGs change with it."""

from datetime import datetime
from pathlib import Path

import yaml

from asyncflow import DAG
from asyncflow.operators.bash import BashOperator

ENTRIES = yaml.safe_load(Path(__file__).with_name("factory.yaml").read_text())

for name, entry in ENTRIES.items():
    with DAG(
        f"copy_{name}",
        schedule=entry["schedule"],
        start_date=datetime(2026, 1, 1),
        description=f"Pretends to copy {entry['from']} to {entry['to']}",
        tags=["native", "factory"],
    ) as dag:
        BashOperator(
            task_id="copy",
            bash_command="echo copying from {{ params.source }} to {{ params.target }}",
            params={"source": entry["from"], "target": entry["to"]},
        )
