"""What should become of a task instance that waits: the dependencies of Airflow's scheduler, in one place.

Pure: reads a `LiveRun`, changes nothing. Order of the questions, the first that settles the matter wins:

1. a branch or short circuit above has decided to skip it;
2. the setups further up that it belongs to;
3. its trigger rule over the direct upstream;
4. the tasks whose output it is mapped over;
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


def decide(live: LiveRun, ti: TaskInstance, now: datetime) -> Verdict:
    """The verdict for an instance in a schedulable state."""
    verdict = decide_by_upstream(live, ti)
    if verdict is Verdict.RUN:
        early = ti.not_before is not None and ti.not_before > now and ti.state is not TaskState.NONE
        return Verdict.WAIT if early or blocked_by_past(live, ti) else Verdict.RUN
    if verdict is Verdict.SKIPPED and live.dag.graph.tasks[ti.task_id].wait_for_past_depends_before_skipping:
        return Verdict.WAIT if blocked_by_past(live, ti) else verdict
    return verdict


def decide_by_upstream(live: LiveRun, ti: TaskInstance) -> Verdict:
    """Questions 1 to 4."""
    if live.skips and was_skipped(live, ti):
        return Verdict.SKIPPED
    verdict = _by_rule(live, ti)
    if verdict is Verdict.UPSTREAM_FAILED or not live.dag.graph.map_sources[ti.task_id]:
        return verdict
    return _by_map_sources(live, ti.task_id) or verdict


def all_wait(live: LiveRun, task_id: str) -> bool:
    """True if one look is enough to see that no instance of a task can move: spares a mapped task n looks per event."""
    graph = live.dag.graph
    if (
        live.skips
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


def _by_map_sources(live: LiveRun, task_id: str) -> Verdict | None:
    """A task cannot be mapped over what will never be there; None = nothing against it.

    Only unexpanded instances count: a mapped source that has been expanded gives at least something.
    """
    sources = (live.get(source, -1) for source in live.dag.graph.map_sources[task_id])
    finished = {ti.state for ti in sources if ti is not None and ti.state in FINISHED}
    if finished <= {TaskState.SUCCESS}:
        return None
    if finished & {TaskState.FAILED, TaskState.UPSTREAM_FAILED}:
        return Verdict.UPSTREAM_FAILED
    return Verdict.SKIPPED if TaskState.SKIPPED in finished else Verdict.WAIT
