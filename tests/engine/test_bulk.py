"""What is changed in one turn when many things are changed."""

from __future__ import annotations

from asyncflow.engine.bulk import batches, parts


def test_a_turn_has_few_runs_and_few_instances() -> None:
    runs = {("d", f"r{n}"): () for n in range(25)}
    assert [len(batch) for batch in batches(runs)] == [10, 10, 5]
    big = {("d", "r0"): [("t", n) for n in range(450)], ("d", "r1"): [("u", -1)] * 60, ("d", "r2"): [("v", -1)]}
    found = [[(name[1], len(part)) for name, part in batch] for batch in batches(big)]
    assert found == [[("r0", 450)], [("r1", 60), ("r2", 1)]]
    assert list(batches({})) == []


def test_copies_are_taken_by_task_the_others_at_once() -> None:
    chosen = [("a", -1), ("m", 0), ("b", -1), ("m", 2), ("n", 1)]
    assert parts(chosen) == [({"a", "b"}, None), ({"m"}, {0, 2}), ({"n"}, {1})]
    assert parts([]) == []
