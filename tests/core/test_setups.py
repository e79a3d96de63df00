"""Setup and teardown tasks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.simulate import Game, Outcome, a_dag, a_task, failed, skipped, success


def workshop(*, fails_run: bool = False, last_rule: str = "all_success") -> Game:
    """setup >> w1 >> w2 >> teardown, and setup >> teardown."""
    game = Game(
        a_dag(
            a_task("setup", is_setup=True),
            a_task("w1", upstream=["setup"], trigger_rule="always"),
            a_task("w2", upstream=["w1"], trigger_rule=last_rule),
            a_task(
                "teardown",
                upstream=["setup", "w2"],
                is_teardown=True,
                trigger_rule="all_done_setup_success",
                on_failure_fail_dagrun=fails_run,
            ),
        )
    )
    game.trigger()
    return game


def test_work_waits_for_a_setup_that_is_not_directly_above() -> None:
    game = workshop()
    game.turn()
    game.end(game.start("w1"))
    game.turn()
    assert game.row("w2").state == "none"
    game.end(game.start("setup"))
    game.turn()
    assert game.row("w2").state == "queued"


@pytest.mark.parametrize(("outcome", "state"), [(failed(), "upstream_failed"), (skipped(), "skipped")])
def test_work_below_a_setup_without_success_does_not_start_whatever_its_rule(outcome: Outcome, state: str) -> None:
    game = workshop(last_rule="all_done")
    game.play({"setup": outcome})
    assert game.states() == {"setup": outcome.outcome, "w1": "success", "w2": state, "teardown": state}


def test_a_rule_may_settle_the_matter_before_the_setup_has_ended() -> None:
    game = workshop()
    game.turn()
    game.end(game.start("w1"), failed())
    game.turn()
    assert game.row("w2").state == "upstream_failed"


def test_the_teardown_runs_after_failed_work() -> None:
    game = workshop()
    game.play({"w2": failed()})
    assert game.states()["teardown"] == "success"
    assert game.run_state() == "failed"


@pytest.mark.parametrize(("fails_run", "state"), [(False, "success"), (True, "failed")])
def test_a_failed_teardown_fails_the_run_only_if_it_is_to(fails_run: bool, state: Any) -> None:
    game = workshop(fails_run=fails_run)
    game.play({"teardown": failed(), "w2": success()})
    assert game.run_state() == state
