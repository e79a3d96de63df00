"""How a DAG hangs together with others: datasets it makes, reads and waits for, DAGs it starts or looks at. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from asyncflow.core.specs import DagSpec, TaskSpec


class TaskLink(NamedTuple):
    """A task that names another DAG."""

    kind: str  #: "trigger": starts it; "sensor": waits for it; "marker": has it cleared, too
    task_id: str
    dag_id: str  #: the other one, as the file has it: perhaps a template


class DatasetTie(NamedTuple):
    """A task and a dataset (or, with an empty `uri`, an alias) that it makes or reads."""

    task_id: str
    uri: str
    name: str  #: of an asset beside its URI, or of an alias


class DagTies(NamedTuple):
    """All ties of one DAG."""

    condition: Any  #: over datasets, in the JSON form of `core.datasets`; None: its schedule names none
    makes: tuple[DatasetTie, ...]
    reads: tuple[DatasetTie, ...]
    links: tuple[TaskLink, ...]

    @property
    def is_alone(self) -> bool:
        """Whether it has none."""
        return self.condition is None and not (self.makes or self.reads or self.links)


def ties_of(spec: DagSpec) -> DagTies:
    """What a DAG's definition says."""
    tasks = spec.tasks.values()
    return DagTies(
        condition=spec.dataset_expression,
        makes=tuple(tie for task in tasks for tie in _datasets(task, task.outlets)),
        reads=tuple(tie for task in tasks for tie in _datasets(task, task.inlets)),
        links=tuple(link for task in tasks for link in _links(task)),
    )


def _datasets(task: TaskSpec, items: tuple[dict[str, Any], ...]) -> list[DatasetTie]:
    found = []
    for item in items:
        if "uri" in item:
            found.append(DatasetTie(task.task_id, str(item["uri"]), str(item.get("name", ""))))
        elif "alias" in item:
            found.append(DatasetTie(task.task_id, "", str(item["alias"])))
    return found


def _links(task: TaskSpec) -> list[TaskLink]:
    """Operators are known by their template fields, so that those of subclasses count, too."""
    if task.marker is not None:
        return [TaskLink("marker", task.task_id, task.marker.dag_id)]
    fields = (("trigger", "trigger_dag_id"), ("sensor", "external_dag_id"))
    named = ((kind, task.extra.get(field)) for kind, field in fields)
    return [TaskLink(kind, task.task_id, dag_id) for kind, dag_id in named if isinstance(dag_id, str) and dag_id]
