"""Mapped tasks and task groups: how many instances there are, and which upstream instances belong to which.

Pure. The length of a literal is known from the DAG; the length of a task's output is what its instance reported
(`TaskInstance.map_length`), or, for a task that is mapped itself, the number of its instances that returned something.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from asyncflow.core.graph import DagGraph
from asyncflow.core.live import FAST_RULES, LiveRun
from asyncflow.core.specs import ExpandSpec, LiteralInput, MapInput
from asyncflow.core.trigger_rules import Tally


def parse_time_length(live: LiveRun, task_id: str) -> int | None:
    """The number of instances if the DAG alone tells it; None if outputs of tasks are needed."""
    if live.dag.graph.all_map_sources(task_id):
        return None
    return map_length(live, task_id)


def map_length(live: LiveRun, task_id: str) -> int | None:
    """How many instances a mapped task, or a task in a mapped group, has; None while an input is not there."""
    return _product(live, live.dag.graph.expansions(task_id))


def _product(live: LiveRun, expansions: tuple[ExpandSpec, ...]) -> int | None:
    return _all_known([_expand_length(live, expand) for expand in expansions], prod)


def _expand_length(live: LiveRun, expand: ExpandSpec) -> int | None:
    return _all_known([_input_length(live, given) for given in expand.inputs.values()], prod)


def _all_known(lengths: list[int | None], combine: Callable[[list[int]], int]) -> int | None:
    known = [length for length in lengths if length is not None]
    return combine(known) if len(known) == len(lengths) else None


def _input_length(live: LiveRun, given: MapInput) -> int | None:
    if isinstance(given, LiteralInput):
        return given.length
    if given.transform == "none":
        return _output_length(live, given.task_id)
    lengths = [_input_length(live, part) for part in given.parts]
    return _all_known(lengths, sum if given.transform == "concat" else max if given.longest else min)


def _output_length(live: LiveRun, task_id: str) -> int | None:
    instances = live.tis.get(task_id, {})
    if task_id not in live.dag.graph.expands:
        ti = instances.get(-1)
        return ti.map_length if ti is not None else None
    if not live.own[task_id].is_done:
        return None
    return sum(ti.map_index >= 0 and ti.map_length is not None for ti in instances.values())


def relevant_indexes(live: LiveRun, task_id: str, map_index: int, upstream: str) -> range | None:
    """Which instances of `upstream` an instance in a mapped group depends on; None = all of them.

    Two tasks in the same mapped group belong together index by index. Rules that fire on the first upstream look at all
    instances, except of the tasks that the expansion itself waits for.
    """
    graph = live.dag.graph
    task = graph.tasks[task_id]
    directly_mapped = graph.mapped_groups[task_id][0] == task.group_id
    if directly_mapped and task.trigger_rule in FAST_RULES and upstream not in graph.all_map_sources(task_id):
        return None
    total = map_length(live, task_id)
    common = _common_group(graph, task_id, upstream)
    if not total or common is None:
        return None
    in_common = _product(live, graph.group_expansions(common))
    assert in_common is not None, "the length of an outer group is part of the length of the inner one"
    index = map_index * in_common // total
    further = 1
    if graph.tasks[upstream].is_mapped or graph.mapped_groups[upstream][0] != common:
        further = (map_length(live, upstream) or 0) // in_common
    return range(index * further, (index + 1) * further)


def _common_group(graph: DagGraph, task_id: str, upstream: str) -> str | None:
    return next((group for group in graph.mapped_groups[task_id] if group in graph.mapped_groups[upstream]), None)


def group_tally(live: LiveRun, task_id: str, map_index: int) -> Tally:
    """What an instance in a mapped group sees of its direct upstream. O(upstream tasks) when aligned index by index."""
    graph = live.dag.graph
    tally = Tally()
    for upstream in graph.upstream[task_id]:
        setup = graph.tasks[upstream].is_setup
        indexes = relevant_indexes(live, task_id, map_index, upstream)
        if indexes is None:
            tally.add(live.own[upstream], setup=setup)
            continue
        for index in {-1, *indexes}:
            ti = live.get(upstream, index)
            if ti is not None:
                tally.total += 1
                tally.setups += setup
                tally.count(ti.state, setup=setup)
    return tally
