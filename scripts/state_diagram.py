"""Prints the state diagram of docs/concepts.md from the transition table; a test compares the two.

Usage: python scripts/state_diagram.py
"""

from __future__ import annotations

import sys

from asyncflow.core.states import TRANSITIONS, Event, TaskState


def by_hand() -> dict[Event, TaskState]:
    """Moves that are open in every state and nearly always lead to the same one: a person's, and an edited DAG's."""
    shared = set.intersection(*(set(moves) for moves in TRANSITIONS.values()))
    return {event: TRANSITIONS[TaskState.NONE][event] for event in Event if event in shared}


def diagram() -> str:
    """A mermaid state diagram of the scheduler's own moves: one arrow for each pair of states, all its events on it."""
    hidden = by_hand()
    arrows: dict[tuple[TaskState, TaskState], list[str]] = {}
    for state, moves in TRANSITIONS.items():
        for event, target in moves.items():
            if hidden.get(event) != target:
                arrows.setdefault((state, target), []).append(event.value)
    lines = [f"    {a.value} --> {b.value}: {', '.join(events)}" for (a, b), events in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> none", *lines, "```"])


if __name__ == "__main__":
    sys.stdout.write(diagram() + "\n")
