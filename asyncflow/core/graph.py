"""The shape of a DAG: order, cycles, closures, weights, and what the scheduler wants to know of each task at once.

Pure functions over edges (used by `authoring` too), and `DagGraph`, which holds the answers for one version of a DAG.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from asyncflow.core.specs import DagSpec, ExpandSpec, LiteralInput, MapInput, TaskSpec
from asyncflow.errors import CycleFound

Edges = Mapping[str, Collection[str]]


def topological_order(downstream: Edges) -> list[str]:
    """All nodes of `downstream` (node -> nodes after it), each after those before it; ties in the mapping's order.

    Raises CycleFound, naming one cycle from its first node round to the same node.
    """
    missing = dict.fromkeys(downstream, 0)
    for after in downstream.values():
        for node in after:
            missing[node] += 1
    ready = [node for node, count in missing.items() if count == 0]
    order: list[str] = []
    for node in ready:
        order.append(node)
        for after_node in downstream[node]:
            missing[after_node] -= 1
            if missing[after_node] == 0:
                ready.append(after_node)
    if len(order) < len(missing):
        cycle = _find_cycle(downstream, {node for node, count in missing.items() if count})
        raise CycleFound(f"The tasks depend on each other in a circle: {' >> '.join(cycle)}.")
    return order


def _find_cycle(downstream: Edges, candidates: set[str]) -> list[str]:
    """A cycle among `candidates`; they are what a topological sort could not place, so a walk backwards finds one."""
    before: dict[str, str] = {}
    for node in downstream:
        for after in downstream[node]:
            if node in candidates and after in candidates:
                before.setdefault(after, node)
    node = next(node for node in downstream if node in before)
    trail: list[str] = []
    while node not in trail:
        trail.append(node)
        node = before[node]
    cycle = [node, *reversed(trail[trail.index(node) :])]
    start = min(range(len(cycle) - 1), key=lambda i: list(downstream).index(cycle[i]))
    return [*cycle[start:-1], *cycle[:start], cycle[start]]


def closure(start: Iterable[str], edges: Edges) -> set[str]:
    """Everything that can be reached from `start` along `edges`, without `start` itself unless a path leads there."""
    reached: set[str] = set()
    stack = list(start)
    while stack:
        for node in edges[stack.pop()]:
            if node not in reached:
                reached.add(node)
                stack.append(node)
    return reached


def reversed_edges(edges: Edges) -> dict[str, list[str]]:
    """The same edges the other way round."""
    back: dict[str, list[str]] = {node: [] for node in edges}
    for node, targets in edges.items():
        for target in targets:
            back[target].append(node)
    return back


def total_priority_weights(own: Mapping[str, int], rules: Mapping[str, str], downstream: Edges) -> dict[str, int]:
    """The weight each task takes into the slot queue, by its weight rule.

    "downstream": its own and those of all tasks below it; "upstream": of all above; "absolute" (and custom
    strategies, whose answer comes as the own weight): its own.
    """
    upstream = reversed_edges(downstream)
    totals = {}
    for node, weight in own.items():
        edges = {"downstream": downstream, "upstream": upstream}.get(rules[node])
        totals[node] = weight + (sum(own[other] for other in closure([node], edges)) if edges is not None else 0)
    return totals


class DagGraph:
    """What the scheduler asks about each task of one version of a DAG, worked out once."""

    def __init__(self, spec: DagSpec) -> None:
        tasks = spec.tasks
        self.tasks: dict[str, TaskSpec] = tasks
        self.groups = spec.groups
        self.upstream = {t: tuple(u for u in task.upstream if u in tasks) for t, task in tasks.items()}
        self.downstream = {t: tuple(d for d in task.downstream if d in tasks) for t, task in tasks.items()}
        #: mapped task groups around a task, innermost first
        self.mapped_groups = {t: _mapped_groups(spec, task) for t, task in tasks.items()}
        #: becomes several instances at run time
        self.expands = {t for t, task in tasks.items() if task.is_mapped or self.mapped_groups[t]}
        #: tasks whose upstream is counted by instances, because some of it expands
        self.counts_instances = {t for t in tasks if any(u in self.expands for u in self.upstream[t])}
        #: tasks whose output the expansion of a task waits for
        self.map_sources = {t: _map_sources(spec, task, self.mapped_groups[t]) for t, task in tasks.items()}
        #: tasks that map over the output of a task, directly or through their group
        self.map_users: dict[str, list[str]] = {t: [] for t in tasks}
        for task_id, sources in self.map_sources.items():
            for source in sources:
                self.map_users[source].append(task_id)
        self.leaves = _leaves(self)
        #: setups that a task must wait for though they are not directly upstream, and the other way round
        self.indirect_setups: dict[str, tuple[str, ...]] = {}
        self.indirect_dependents: dict[str, list[str]] = {}
        if any(task.is_setup for task in tasks.values()):
            self._find_setups()
        #: tasks that look at the run before
        self.depends_on_past = {t for t, task in tasks.items() if task.depends_on_past}
        self.waits_for_downstream = {
            t for t, task in tasks.items() if task.depends_on_past and task.wait_for_downstream
        }
        self.all_ids = frozenset(tasks)

    def expansions(self, task_id: str) -> tuple[ExpandSpec, ...]:
        """How a task unrolls: its own expansion, then those of the mapped groups around it, innermost first."""
        own = self.tasks[task_id].expand
        outer = tuple(e for group in self.mapped_groups[task_id] if (e := self.groups[group].expand) is not None)
        return (own, *outer) if own is not None else outer

    def group_expansions(self, group_id: str) -> tuple[ExpandSpec, ...]:
        """How the tasks directly in a mapped group unroll, innermost first."""
        found = []
        current: str | None = group_id
        while current is not None:
            group = self.groups[current]
            if group.expand is not None:
                found.append(group.expand)
            current = group.parent
        return tuple(found)

    def all_map_sources(self, task_id: str) -> set[str]:
        """Tasks whose outputs any expansion around a task refers to."""
        return {
            source
            for expand in self.expansions(task_id)
            for given in expand.inputs.values()
            for source in input_sources(given)
        }

    def _find_setups(self) -> None:
        for task_id, task in self.tasks.items():
            if task.is_teardown:
                continue
            setups = [s for s in self.relevant_setups(task_id) if s not in self.upstream[task_id]]
            if setups:
                self.indirect_setups[task_id] = tuple(setups)
                for setup in setups:
                    self.indirect_dependents.setdefault(setup, []).append(task_id)

    def relevant_setups(self, task_id: str) -> list[str]:
        """Setups above a task which belong to it: with a teardown below the task, or with no teardown at all."""
        below = {t for t in closure([task_id], self.downstream) if self.tasks[t].is_teardown}
        found = []
        for other in closure([task_id], self.upstream):
            if self.tasks[other].is_setup:
                teardowns = self.teardowns_of(other)
                if not teardowns or not below.isdisjoint(teardowns):
                    found.append(other)
        return sorted(found)

    def teardowns_of(self, setup: str) -> list[str]:
        """Teardowns directly below a setup."""
        return [t for t in self.downstream[setup] if self.tasks[t].is_teardown]


def _mapped_groups(spec: DagSpec, task: TaskSpec) -> tuple[str, ...]:
    found, group_id = [], task.group_id
    while group_id is not None:
        group = spec.groups[group_id]
        if group.expand is not None:
            found.append(group_id)
        group_id = group.parent
    return tuple(found)


def _map_sources(spec: DagSpec, task: TaskSpec, groups: tuple[str, ...]) -> tuple[str, ...]:
    expand = task.expand or (spec.groups[groups[0]].expand if groups else None)
    if expand is None:
        return ()
    return tuple(dict.fromkeys(s for given in expand.inputs.values() for s in input_sources(given) if s in spec.tasks))


def input_sources(given: MapInput) -> list[str]:
    """Task ids whose outputs an input of `.expand()` refers to."""
    if isinstance(given, LiteralInput):
        return []
    if given.transform == "none":
        return [given.task_id]
    return [source for part in given.parts for source in input_sources(part)]


def _leaves(graph: DagGraph) -> frozenset[str]:
    """Tasks whose states make the run's state: those with nothing that counts below them.

    Teardowns do not count unless they have on_failure_fail_dagrun (gotcha 16); a DAG of teardowns alone is judged by
    the last ones.
    """

    def counts(task_id: str) -> bool:
        task = graph.tasks[task_id]
        return not task.is_teardown or task.on_failure_fail_dagrun

    leaves = {t for t in graph.tasks if counts(t) and not any(counts(d) for d in graph.downstream[t])}
    return frozenset(leaves or {t for t in graph.tasks if not graph.downstream[t]})
