"""The declarative `dag` objects of the golden cases as core data: a `DagSpec`, and what each try comes to.

`test_dag_outcomes.py` plays the same objects through real DAG files and the task runner; here the scheduler is judged
alone, without authoring and runner in between. The vocabulary is described in the README of the golden data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncflow.core.graph import closure
from asyncflow.core.models import TaskInstance
from asyncflow.core.specs import DagSpec, ExpandSpec, LiteralInput, SensorSpec, TaskGroupSpec, TaskSpec, XComInput
from asyncflow.core.states import TriggerRule
from asyncflow.core.timetable import NullTimetable
from tests.core.simulate import Outcome, failed, skipped, success

START = datetime(2024, 1, 1, tzinfo=UTC)


class Declared:
    """One declared DAG."""

    def __init__(self, dag: Mapping[str, Any]) -> None:
        self.dag = dag
        self.tasks: dict[str, dict[str, Any]] = {task["id"]: task for task in dag["tasks"]}
        self.groups: dict[str, dict[str, Any]] = {group["id"]: group for group in dag.get("groups", ())}
        self.order = [item for item in self._made() if item in self.tasks]
        self.up: dict[str, set[str]] = {task_id: set() for task_id in self.order}
        self._connect()
        self.down = {t: {d for d in self.order if t in self.up[d]} for t in self.order}

    def _made(self, parent: str | None = None) -> Iterator[str]:
        for item in self.dag["order"]:
            if item in self.groups and self.groups[item].get("parent") == parent:
                yield item
                yield from self._made(item)
            elif item in self.tasks and self.tasks[item].get("group") == parent:
                yield item

    # ---- edges

    def _connect(self) -> None:
        for task_id, task in self.tasks.items():
            for source in self._sources(task.get("map", {}).values()):
                self.up[task_id].add(source)
        for group_id, group in self.groups.items():
            for source in self._sources(group.get("map", {}).values()):
                for member in self.members(group_id):
                    self.up[member].add(source)
        for task_id, task in self.tasks.items():
            self.up[task_id].update(task.get("setups", ()))
        for above, below in self.dag.get("edges", ()):
            for left in self._ends(above, "leaves"):
                for right in self._ends(below, "roots"):
                    self.up[right].add(left)

    @staticmethod
    def _sources(inputs: Iterable[Mapping[str, Any]]) -> list[str]:
        return [source["task"] for source in inputs if "task" in source]

    def members(self, group_id: str) -> list[str]:
        return [task_id for task_id in self.order if group_id in self.groups_of(task_id)]

    def groups_of(self, task_id: str) -> list[str]:
        """Groups around a task, innermost first."""
        found, group = [], self.tasks[task_id].get("group")
        while group is not None:
            found.append(group)
            group = self.groups[group].get("parent")
        return found

    def _ends(self, item: str, side: str) -> list[str]:
        """Roots or leaves of a group as `>>` sees them; a task is its own."""
        if item in self.tasks:
            return [item]
        members = self.members(item)
        if side == "roots":
            return [t for t in members if not self.up[t] & set(members)]
        leaves = [t for t in members if not any(t in self.up[other] for other in members)]
        found: dict[str, None] = {}
        for leaf in leaves:
            found.update(dict.fromkeys(self._before_teardowns(leaf, members)))
        return list(found)

    def _before_teardowns(self, task_id: str, members: list[str]) -> Iterator[str]:
        """A leaf that is a teardown is passed over in favour of the work before it."""
        if not self.tasks[task_id].get("teardown"):
            yield task_id
            return
        for above in self.up[task_id] & set(members):
            task = self.tasks[above]
            if task.get("teardown"):
                yield from self._before_teardowns(above, members)
            elif not task.get("setup") and not self._has_work_below(above, members):
                yield above

    def _has_work_below(self, task_id: str, members: list[str]) -> bool:
        return any(task_id in self.up[other] and not self.tasks[other].get("teardown") for other in members)

    # ---- the spec

    def spec(self) -> DagSpec:
        return DagSpec(
            dag_id=self.dag["dag_id"],
            timetable=NullTimetable(),  # the runs of a case are all there from the start
            start_date=START,
            catchup=True,
            max_active_tasks=1000,
            fail_fast=self.dag.get("fail_stop", False),
            tasks={task_id: self._task(task_id) for task_id in self.order},
            groups={
                group_id: TaskGroupSpec(group_id=group_id, parent=group.get("parent"), expand=_expand(group.get("map")))
                for group_id, group in self.groups.items()
            },
        )

    def _task(self, task_id: str) -> TaskSpec:
        task = self.tasks[task_id]
        rule = "all_done_setup_success" if task.get("teardown") else task.get("trigger_rule", "all_success")
        return TaskSpec(
            task_id=task_id,
            group_id=task.get("group"),
            upstream=tuple(sorted(self.up[task_id])),
            downstream=tuple(sorted(self.down[task_id])),
            trigger_rule=TriggerRule(rule),
            retries=task.get("retries", 0),
            retry_delay=timedelta(0),
            depends_on_past=task.get("depends_on_past", False) or task.get("wait_for_downstream", False),
            wait_for_downstream=task.get("wait_for_downstream", False),
            start_date=START,
            is_setup=task.get("setup", False),
            is_teardown=task.get("teardown", False),
            on_failure_fail_dagrun=task.get("on_failure_fail_dagrun", False),
            is_empty=task.get("kind") == "empty",
            is_mapped="map" in task,
            expand=_expand(task.get("map")),
            sensor=SensorSpec(mode=task.get("mode", "poke")) if task.get("kind") == "sensor" else None,
        )

    # ---- what tries come to

    def outcome(self, ti: TaskInstance, run_number: int, pokes: Counter[Any], values: Values) -> Outcome:
        """The end of the present try of `ti`."""
        task = self.tasks[ti.task_id]
        kind = task.get("kind", "python")
        if kind == "sensor":
            return _poke(task, ti, pokes)
        if kind in ("branch", "latest_only"):
            return self._branch(task, ti)
        if kind == "short_circuit":
            return self._short_circuit(task, ti)
        return self._python(task, ti, run_number, values)

    def _branch(self, task: Mapping[str, Any], ti: TaskInstance) -> Outcome:
        chosen = task.get("choose")
        chosen = [] if chosen is None else [chosen] if isinstance(chosen, str) else list(chosen)
        chosen = [i for c in chosen for i in (self._ends(c, "roots") if c in self.groups else [c])]
        if any(c not in self.tasks for c in chosen):
            return failed()
        followed = set(chosen) | closure(chosen, self.down)
        return success(
            skip_tasks=tuple(sorted(self.down[ti.task_id] - followed)),
            skip_map_index=ti.map_index,
            xcoms={"return_value": "..."},
        )

    def _short_circuit(self, task: Mapping[str, Any], ti: TaskInstance) -> Outcome:
        if task["result"]:
            return success(xcoms={"return_value": "true"})
        all_below = task.get("ignore_downstream_trigger_rules", True)
        below = closure([ti.task_id], self.down) if all_below else self.down[ti.task_id]
        return success(skip_tasks=tuple(sorted(t for t in below if not self.tasks[t].get("teardown"))))

    def _python(self, task: Mapping[str, Any], ti: TaskInstance, run_number: int, values: Values) -> Outcome:
        given = values.given(ti)
        do = task.get("do", "succeed")
        if task.get("by_run"):
            do = task["by_run"][run_number % len(task["by_run"])]
        if given is not None or "value" in task.get("map", {}):
            for name, then in (("fail_values", "fail"), ("skip_values", "skip"), ("flaky_values", "flaky")):
                if given in task.get(name, ()):
                    do = then
                    break
        if do == "flaky":
            do = "fail" if ti.try_number <= task.get("fail_tries", 1) else "succeed"
        if do != "succeed":
            return {"fail": failed(), "skip": skipped(), "fail_no_retry": failed(retryable=False)}[do]
        value = task.get("returns", given)
        length = len(value) if isinstance(value, list | dict) else None
        if length is None and ti.map_index < 0 and self._is_mapped_over(ti.task_id):
            return failed()
        values.returned[ti.run_id, ti.task_id, ti.map_index] = value
        return success(map_length=length, xcoms={} if value is None else {"return_value": "..."})

    def _is_mapped_over(self, task_id: str) -> bool:
        inputs = [*self.tasks.values(), *self.groups.values()]
        return any(task_id in self._sources(item.get("map", {}).values()) for item in inputs)


class Values:
    """What task instances returned, and what that makes the arguments of mapped ones."""

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self.returned: dict[tuple[str, str, int], Any] = {}

    def given(self, ti: TaskInstance) -> Any:
        """The argument `value` of an instance."""
        task = self._declared.tasks[ti.task_id]
        if "map" in task:
            return self._pick(task["map"], ti)
        for group in self._declared.groups_of(ti.task_id):
            if "map" in self._declared.groups[group]:
                return self._pick(self._declared.groups[group]["map"], ti)
        return None

    def _pick(self, inputs: Mapping[str, Any], ti: TaskInstance) -> Any:
        """The first keyword varies slowest."""
        index, picked = ti.map_index, {}
        for name, source in reversed(inputs.items()):
            items = self._items(source, ti.run_id)
            index, position = divmod(index, len(items))
            picked[name] = items[position]
        return picked.get("value")

    def _items(self, source: Mapping[str, Any], run_id: str) -> list[Any]:
        if "literal" in source:
            return list(source["literal"])
        mine = {i: v for (run, task, i), v in self.returned.items() if run == run_id and task == source["task"]}
        return list(mine[-1]) if -1 in mine else [v for _, v in sorted(mine.items()) if v is not None]


def _expand(inputs: Mapping[str, Any] | None) -> ExpandSpec | None:
    if inputs is None:
        return None
    return ExpandSpec(
        inputs={
            name: LiteralInput(length=len(s["literal"])) if "literal" in s else XComInput(task_id=s["task"])
            for name, s in inputs.items()
        }
    )


def _poke(task: Mapping[str, Any], ti: TaskInstance, pokes: Counter[Any]) -> Outcome:
    needed = task["pokes_needed"]
    if needed < 0:
        return skipped() if task.get("soft_fail") else failed(retryable=False)
    pokes[ti.key] += 1
    if pokes[ti.key] >= needed or task.get("mode", "poke") == "poke":
        return success()
    return Outcome("reschedule", fields={"after": timedelta(0)})
