"""What the top of every page of a DAG shows: name, switch, schedule, tabs."""

from __future__ import annotations

from dataclasses import dataclass

from asyncflow.core import timetable
from asyncflow.engine.dag_pages import DagPages, StoredDag
from asyncflow.web import views
from asyncflow.web.address import dag_path

#: last part of the address -> what the tab says, in Airflow's order
TABS = {
    "grid": "Grid",
    "graph": "Graph",
    "calendar": "Calendar",
    "duration": "Task duration",
    "tries": "Task tries",
    "landing": "Landing times",
    "gantt": "Gantt",
    "runs": "Runs",
    "backfills": "Backfills",
    "datasets": "Datasets",
    "details": "Details",
    "code": "Code",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One tab."""

    name: str
    label: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The top of a DAG's page."""

    dag_id: str
    name: str
    path: str
    description: str
    timezone: str
    tags: tuple[str, ...]
    paused: bool
    active: bool
    broken: bool
    schedule: str
    schedule_words: str
    next_run: str | None  #: ISO text
    waits_for: str  #: the datasets that its next run waits for, as a condition
    datasets: tuple[views.DatasetLine, ...]
    datasets_words: str
    tabs: tuple[Tab, ...]


def head(pages: DagPages, dag: StoredDag, tab: str) -> Head:
    """The top of the page `tab`."""
    spec = dag.spec
    waits = pages.datasets(spec)
    condition = waits["dataset_condition"]
    datasets = tuple(views.DatasetLine(uri=uri, updated_at=at) for uri, at in waits["datasets"].items())
    path = dag_path(spec.dag_id)
    due = dag.next_run_after
    return Head(
        dag_id=spec.dag_id,
        name=spec.display_name or spec.dag_id,
        path=path,
        description=spec.description or "",
        timezone=spec.timezone,
        tags=spec.tags,
        paused=dag.paused,
        active=dag.active,
        broken=dag.import_error,
        schedule=spec.schedule_text,
        schedule_words=timetable.describe(spec.timetable),
        next_run=None if due is None else due.isoformat(),
        waits_for=condition or "",
        datasets=datasets,
        datasets_words=views.datasets_words(condition, datasets),
        tabs=tuple(
            Tab(name=name, label=label, href=f"{path}/{name}", current=name == tab) for name, label in TABS.items()
        ),
    )
