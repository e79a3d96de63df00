"""What should become of a task instance that waits: the dependencies of Airflow's scheduler, in one place.

Pure: reads a `LiveRun`, changes nothing. Order of the questions, the first that settles the matter wins:

1. a branch or short circuit above has decided to skip it;
2. the tasks whose output it is mapped over: they will never give one;
3. the setups further up that it belongs to;
4. its trigger rule over the direct upstream;
5. the run before (depends_on_past) and its own time (retry delay, next poke): these can only make it wait.
"""

from __future__ import annotations

from datetime import datetime

from asyncflow.core.live import LiveRun
from asyncflow.core.mapping import group_tally
from asyncflow.core.models import TaskInstance
from asyncflow.core.past import blocked_by_past
from asyncflow.core.states import FINISHED, TaskState, TriggerRule
from asyncflow.core.trigger_rules import Tally, Verdict, all_success, evaluate

_DECIDED = frozenset({Verdict.SKIPPED, Verdict.UPSTREAM_FAILED})


def decide(live: LiveRun, ti: TaskInstance, now: datetime) -> Verdict:
    """The verdict for an instance in a schedulable state."""
    if live.orders is not None and live.orders.options.ignore_dependencies:
        return Verdict.WAIT if _is_early(ti, now) else Verdict.RUN
    verdict = decide_by_upstream(live, ti)
    if verdict is Verdict.RUN:
        return Verdict.WAIT if _is_early(ti, now) or blocked_by_past(live, ti) else Verdict.RUN
    if verdict is Verdict.SKIPPED and live.dag.graph.tasks[ti.task_id].wait_for_past_depends_before_skipping:
        return Verdict.WAIT if blocked_by_past(live, ti) else verdict
    return verdict


def _is_early(ti: TaskInstance, now: datetime) -> bool:
    """Its retry delay, or the wait for its next poke, is not over."""
    return ti.not_before is not None and ti.not_before > now and ti.state is not TaskState.NONE


def decide_by_upstream(live: LiveRun, ti: TaskInstance) -> Verdict:
    """Questions 1 to 4."""
    if live.skips and was_skipped(live, ti):
        return Verdict.SKIPPED
    if not live.dag.graph.map_sources[ti.task_id]:
        return _by_rule(live, ti)
    missing = _by_map_sources(live, ti)
    verdict = missing if missing in _DECIDED else _by_rule(live, ti)
    return missing if verdict is Verdict.RUN else verdict


def all_wait(live: LiveRun, task_id: str) -> bool:
    """True if one look is enough to see that no instance of a task can move: spares a mapped task n looks per event."""
    graph = live.dag.graph
    if (
        live.skips
        or live.orders is not None
        or task_id in graph.indirect_setups
        or graph.mapped_groups[task_id]
        or graph.map_sources[task_id]
        or not graph.upstream[task_id]
        or live.up[task_id].removed
    ):
        return False
    return evaluate(graph.tasks[task_id].trigger_rule, live.up[task_id]) is Verdict.WAIT


def was_skipped(live: LiveRun, ti: TaskInstance) -> bool:
    """Whether an instance directly above (the one with the same map index) chose to skip this one."""
    for upstream in live.dag.graph.upstream[ti.task_id]:
        if ti.task_id in live.skips.get((upstream, ti.map_index), ()):
            decider = live.get(upstream, ti.map_index)
            if decider is not None and decider.state in FINISHED:  # one that runs again may choose anew
                return True
    return False


def _by_rule(live: LiveRun, ti: TaskInstance) -> Verdict:
    graph = live.dag.graph
    task = graph.tasks[ti.task_id]
    if not graph.upstream[ti.task_id] or task.trigger_rule is TriggerRule.ALWAYS:
        return Verdict.RUN
    setups = Verdict.RUN
    if ti.task_id in graph.indirect_setups:
        setups = all_success(_setup_tally(live, ti.task_id), ti.map_index)
        if setups not in (Verdict.RUN, Verdict.WAIT):
            return setups
    verdict = evaluate(task.trigger_rule, upstream_tally(live, ti), ti.map_index)
    return Verdict.WAIT if verdict is Verdict.RUN and setups is Verdict.WAIT else verdict


def upstream_tally(live: LiveRun, ti: TaskInstance) -> Tally:
    """The states of the direct upstream as this instance sees them."""
    if live.dag.graph.mapped_groups[ti.task_id]:
        return group_tally(live, ti.task_id, ti.map_index)
    return live.up[ti.task_id]


def _setup_tally(live: LiveRun, task_id: str) -> Tally:
    tally = Tally()
    for setup in live.dag.graph.indirect_setups[task_id]:
        tally.add(live.own[setup])
    return tally


def _by_map_sources(live: LiveRun, ti: TaskInstance) -> Verdict:
    """A task cannot be mapped over what will never be there; RUN = nothing against it.

    Only unexpanded instances count as never there: a mapped source that has been expanded gives at least something.
    In a mapped group a rule such as one_success may be met before the source has finished: it waits (Airflow fails it
    if it happens to look in between); a task that is mapped itself fails then (see `Machine`), as in Airflow.
    """
    graph = live.dag.graph
    sources = graph.map_sources[ti.task_id]
    unexpanded = (live.get(source, -1) for source in sources)
    finished = {other.state for other in unexpanded if other is not None and other.state in FINISHED}
    if finished & {TaskState.FAILED, TaskState.UPSTREAM_FAILED}:
        return Verdict.UPSTREAM_FAILED
    if TaskState.SKIPPED in finished:
        return Verdict.SKIPPED
    early = ti.map_index < 0 and not graph.tasks[ti.task_id].is_mapped
    waits = early and not all(live.own[source].is_done for source in sources)
    return Verdict.WAIT if waits or TaskState.REMOVED in finished else Verdict.RUN
