"""The table of legal moves."""

from __future__ import annotations

import pytest

from asyncflow.core.states import FINISHED, TRANSITIONS, Event, IllegalTransition, TaskState, TriggerRule, move

BY_HAND = {Event.CLEAR, Event.SET_SUCCESS, Event.SET_FAILED, Event.SET_SKIPPED, Event.REMOVE}


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(TaskState)


def test_every_state_can_be_reached() -> None:
    assert {after for row in TRANSITIONS.values() for after in row.values()} == set(TaskState)


def test_every_event_is_used() -> None:
    assert {event for row in TRANSITIONS.values() for event in row} == set(Event)


@pytest.mark.parametrize("state", TaskState)
def test_a_person_may_move_anything(state: TaskState) -> None:
    assert BY_HAND <= TRANSITIONS[state].keys()


@pytest.mark.parametrize("state", sorted(FINISHED - {TaskState.REMOVED}))
def test_only_a_person_leads_out_of_a_final_state(state: TaskState) -> None:
    assert set(TRANSITIONS[state]) == BY_HAND


def test_move_gives_the_next_state() -> None:
    assert move(TaskState.QUEUED, Event.START) is TaskState.RUNNING


def test_an_event_that_cannot_happen_is_refused() -> None:
    with pytest.raises(IllegalTransition, match="'success' cannot take the event 'launch'") as caught:
        move(TaskState.SUCCESS, Event.LAUNCH)
    assert (caught.value.state, caught.value.event) == (TaskState.SUCCESS, Event.LAUNCH)


@pytest.mark.parametrize(
    ("old", "now"),
    [("dummy", TriggerRule.ALWAYS), ("none_failed_or_skipped", TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)],
)
def test_legacy_names_of_trigger_rules_are_understood(old: str, now: TriggerRule) -> None:
    assert TriggerRule(old) is now


def test_an_unknown_trigger_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="'sometimes' is not a valid TriggerRule"):
        TriggerRule("sometimes")
