"""Priority weights: own weight, weight rule, and the total that the slot queue orders by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncflow.authoring.exceptions import AirflowException
from asyncflow.core.graph import total_priority_weights

if TYPE_CHECKING:
    from asyncflow.authoring.abstractoperator import AbstractOperator
    from asyncflow.authoring.dag import DAG

WEIGHT_RULES = ("downstream", "upstream", "absolute")


class PriorityWeightStrategy:
    """Base of weight rules that DAG authors write: `get_weight(ti)` is asked once, when the file is loaded.

    Airflow asks before each try; here `ti` has `task`, `try_number` 1 and `map_index` -1 only.
    """

    def get_weight(self, ti: Any) -> int:
        """The weight of a task instance; higher goes first."""
        raise NotImplementedError

    def serialize(self) -> dict[str, Any]:
        """Its own settings, for Airflow's sake."""
        return {}


class _Stand:
    """The task instance that a PriorityWeightStrategy is asked about."""

    def __init__(self, task: AbstractOperator) -> None:
        self.task = task
        self.task_id = task.task_id
        self.dag_id = task.dag_id
        self.try_number = 1
        self.map_index = -1
        self.max_tries = task.retries


def check_weight_rule(rule: Any, task_id: str) -> Any:
    """The rule's name, or the strategy. Raises AirflowException for anything else."""
    if isinstance(rule, PriorityWeightStrategy):
        return rule
    if isinstance(rule, type) and issubclass(rule, PriorityWeightStrategy):
        return rule()
    name = str(getattr(rule, "value", rule))
    if name not in WEIGHT_RULES:
        raise AirflowException(
            f"Task {task_id!r}: the weight_rule must be one of {', '.join(WEIGHT_RULES)} or a PriorityWeightStrategy; "
            f"not {name!r}."
        )
    return name


def rule_name(task: AbstractOperator) -> str:
    """What the UI shows as the weight rule."""
    return task.weight_rule if isinstance(task.weight_rule, str) else type(task.weight_rule).__name__


def total_weights(dag: DAG) -> dict[str, int]:
    """The total weight of each task by id: with all relatives down- or upstream, or its own, by its rule."""
    own = {task.task_id: task.priority_weight for task in dag.tasks}
    rules = {task.task_id: rule_name(task) for task in dag.tasks}
    downstream = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    totals = total_priority_weights(own, rules, downstream)
    for task in dag.tasks:
        if isinstance(task.weight_rule, PriorityWeightStrategy):
            totals[task.task_id] = int(task.weight_rule.get_weight(_Stand(task)))
    return totals
