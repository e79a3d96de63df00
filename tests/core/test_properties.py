"""Laws of the scheduler, over random DAGs, random results and random orders."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.core.models import Pool, TaskInstance
from asyncflow.core.specs import DagSpec, ExpandSpec, LiteralInput
from asyncflow.core.states import FINISHED, OCCUPYING, RunState, TaskState, TriggerRule
from tests.core.simulate import Game, Outcome, a_dag, a_task, again, died, failed, skipped, success

RULES = [TriggerRule.ALL_SUCCESS] * 5 + list(TriggerRule)
OUTCOMES = [success()] * 5 + [failed(), skipped(), again(timedelta(seconds=1)), died(), failed(retryable=False)]


@st.composite
def dags(draw: st.DrawFn) -> DagSpec:
    tasks: list[Any] = []
    for number in range(draw(st.integers(1, 8))):
        above = draw(st.sets(st.sampled_from([task.task_id for task in tasks]), max_size=3)) if tasks else set()
        fields: dict[str, Any] = {
            "upstream": sorted(above),
            "trigger_rule": draw(st.sampled_from(RULES)),
            "retries": draw(st.integers(0, 2)),
            "priority_weight": draw(st.integers(1, 3)),
            "pool": draw(st.sampled_from(["default_pool", "small"])),
            "is_empty": draw(st.integers(0, 5)) == 0,
            "depends_on_past": draw(st.integers(0, 5)) == 0,
            "max_active_tis_per_dag": draw(st.sampled_from([None, None, 1])),
        }
        if draw(st.integers(0, 4)) == 0:
            length = draw(st.integers(0, 3))
            fields |= {"is_mapped": True, "expand": ExpandSpec(inputs={"x": LiteralInput(length=length)})}
        tasks.append(a_task(f"t{number}", **fields))
    return a_dag(*tasks, max_active_runs=draw(st.integers(1, 3)), max_active_tasks=draw(st.integers(1, 6)))


class Watched(Game):
    """Checks the limits after every turn."""

    def __init__(self, spec: DagSpec, parallelism: int) -> None:
        super().__init__(spec, parallelism=parallelism)
        self.spec, self.parallelism = spec, parallelism
        self.world.put_pool(Pool(name="small", slots=2))

    def turn(self) -> Any:
        effects = super().turn()
        busy = [ti for ti in self.rows.values() if ti.state in OCCUPYING]
        assert len(self.world.live_tokens()) <= self.parallelism
        assert len(busy) <= self.spec.max_active_tasks
        assert sum(ti.pool_slots for ti in busy if ti.pool == "small") <= 2
        running = [run for run in self.runs.values() if run.state is RunState.RUNNING]
        assert len(running) <= self.spec.max_active_runs
        per_task = Counter(ti.task_id for ti in busy)
        for task in self.spec.tasks.values():
            assert task.max_active_tis_per_dag is None or per_task[task.task_id] <= task.max_active_tis_per_dag
        self.check_counts()
        return effects

    def check_counts(self) -> None:
        """The counts kept up to date are those that counting afresh gives."""
        for live in self.world._machine.dags["dag"].runs.values():
            kept = {task_id: repr(tally) for task_id, tally in (*live.own.items(), *live.up.items())}
            unfinished, waiting = live.unfinished, live.waiting
            live.index(list(live.instances()))
            assert kept == {task_id: repr(tally) for task_id, tally in (*live.own.items(), *live.up.items())}
            assert (unfinished, waiting) == (live.unfinished, live.waiting)


def script(rng: random.Random) -> Any:
    def outcome(ti: TaskInstance) -> Outcome:
        chosen = rng.choice(OUTCOMES)
        return success() if chosen.outcome == "reschedule" and ti.poke_count > 3 else chosen

    return outcome


@settings(max_examples=50)
@given(dags(), st.integers(1, 3), st.integers(1, 5), st.randoms(use_true_random=False))
def test_no_limit_is_ever_exceeded_and_every_run_comes_to_rest(
    spec: DagSpec, runs: int, parallelism: int, rng: random.Random
) -> None:
    game = Watched(spec, parallelism)
    for number in range(runs):
        game.trigger(number)
    game.play(
        dict.fromkeys(spec.tasks, script(rng)), order=lambda tokens: rng.sample(tokens, rng.randint(1, len(tokens)))
    )
    for run in game.runs.values():
        states = {ti.state for ti in game.rows.values() if ti.run_id == run.run_id}
        if run.state in (RunState.SUCCESS, RunState.FAILED):
            assert states <= FINISHED | {TaskState.NONE}
    assert not game.world.live_tokens()
    assert game.world.pool_usage()["small"]["occupied"] == 0
    assert not game.turn()


@settings(max_examples=40)
@given(dags(), st.randoms(use_true_random=False))
def test_people_may_interfere_at_any_moment(spec: DagSpec, rng: random.Random) -> None:
    game = Watched(spec, 3)
    game.spec = a_dag(*spec.tasks.values(), max_active_runs=99, max_active_tasks=99)
    outcome = script(rng)
    game.trigger(0)
    game.trigger(1)
    for _ in range(30):
        game.turn()
        interfere(game, spec, rng)
        for token in list(game.launched):
            if rng.random() < 0.5:
                key = game.launched[token]
                ti = game.world.task_instance(key)
                game.end(token, outcome(ti) if ti is not None else success())
        game.advance()
    for kill in game.killed:
        game.launched.setdefault(kill.token, kill.key)
    game.world.set_paused("dag", False, game.now)
    game.play()
    assert not game.world.live_tokens()


def interfere(game: Game, spec: DagSpec, rng: random.Random) -> None:
    run_id, task_id = rng.choice(["run0", "run1"]), rng.choice(list(spec.tasks))
    relatives = {"upstream": rng.random() < 0.3, "downstream": rng.random() < 0.3}
    match rng.randrange(8):
        case 0:
            game.world.clear("dag", run_ids=[run_id], task_ids=[task_id], now=game.now, **relatives)
        case 1:
            state = rng.choice([TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED])
            game.world.mark("dag", run_ids=[run_id], task_ids=[task_id], state=state, now=game.now, **relatives)
        case 2:
            game.world.set_run_state("dag", run_id, rng.choice(list(RunState)[:1] + list(RunState)[2:]), now=game.now)
        case 3:
            game.world.set_paused("dag", rng.random() < 0.5, game.now)
        case 4:
            kept = [t for t in spec.tasks.values() if rng.random() < 0.8]
            names = {t.task_id for t in kept}
            rewired = [a_task(**fields_of(t) | {"upstream": [u for u in t.upstream if u in names]}) for t in kept]
            game.world.put_dag(a_dag(*rewired), f"v{rng.random()}", paused=False, now=game.now)
        case _:
            game.world.put_dag(spec, "v1", paused=False, now=game.now)


def fields_of(task: Any) -> dict[str, Any]:
    return {name: getattr(task, name) for name in task.__struct_fields__}


@settings(max_examples=30)
@given(dags(), st.randoms(use_true_random=False))
def test_a_restart_at_any_moment_changes_nothing(spec: DagSpec, rng: random.Random) -> None:
    """A world rebuilt from the rows between two turns goes on as the old one would have."""
    seed, stop = rng.random(), rng.randint(1, 12)
    ends = []
    for restart in (False, True):
        chance = random.Random(seed)
        game = Game(spec, parallelism=4)
        game.trigger(0)
        game.trigger(1)
        outcomes = script(chance)
        for _ in range(stop):
            game.turn()
            for token in list(game.launched)[:2]:
                ti = game.world.task_instance(game.launched[token])
                assert ti is not None
                game.end(token, outcomes(ti))
            game.advance()
        game.turn()
        if restart:
            game = rebuilt(game, spec)
        game.play(dict.fromkeys(spec.tasks, success()))
        ends.append(({key: ti.state for key, ti in game.rows.items()}, {k: r.state for k, r in game.runs.items()}))
    assert ends[0] == ends[1]


def rebuilt(game: Game, spec: DagSpec) -> Game:
    fresh = Game(parallelism=4, tokens="second")
    fresh.now, fresh.dag_id = game.now, game.dag_id
    fresh.runs, fresh.rows, fresh.launched = dict(game.runs), dict(game.rows), dict(game.launched)
    for run in game.runs.values():
        tis = [ti.__copy__() for ti in game.rows.values() if ti.run_id == run.run_id]
        fresh.world.load_run(run.__copy__(), tis, fresh.now, history=run.state in ("success", "failed"))
    fresh.world.put_dag(spec, "v1", paused=False, now=fresh.now)
    return fresh
