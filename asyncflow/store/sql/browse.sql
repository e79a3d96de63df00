-- part: wanted_tasks
(:task_id IS NULL OR t.task_id = :task_id)
  AND (:text IS NULL OR instr(t.task_id, :text) > 0)
  AND (:states IS NULL OR CASE WHEN t.state = 'deferred' AND t."trigger" ->> 'classpath' = 'asyncflow.triggers.hitl.HITLTrigger'
    THEN 'awaiting_input' ELSE t.state END IN (SELECT value FROM json_each(:states)))
  AND (:pool IS NULL OR t.pool = :pool)
  AND (:operator IS NULL OR instr(t.operator, :operator) > 0)
  AND t.try_number > :tries_over
  AND (:started_from IS NULL OR t.started_at >= :started_from)
  AND (:started_to IS NULL OR t.started_at <= :started_to)

-- part: wanted_dags
(:dag_ids IS NULL OR dag_id IN (SELECT value FROM json_each(:dag_ids)))

-- part: wanted_lines
(:via IS NULL OR via = :via)
  AND (:action IS NULL OR action = :action)
  AND (:at_from IS NULL OR at >= :at_from) AND (:at_to IS NULL OR at <= :at_to)

-- name: browse_runs_newest
-- The next runs of all DAGs in the order of their due time; those of some DAGs alone are chosen from them.
SELECT id, run_after FROM dag_run
WHERE (run_after, id) <= (:run_after, :run) AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags}
  AND (:run_id IS NULL OR instr(run_id, :run_id) > 0)
ORDER BY run_after DESC, id DESC LIMIT :limit;

-- name: browse_runs_oldest
SELECT id, run_after FROM dag_run
WHERE (run_after, id) >= (:run_after, :run) AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags}
  AND (:run_id IS NULL OR instr(run_id, :run_id) > 0)
ORDER BY run_after, id LIMIT :limit;

-- name: browse_runs_of_dag_newest
SELECT id, run_after FROM dag_run
WHERE dag_id = :dag_id AND (run_after, id) <= (:run_after, :run) AND run_after >= :due_from AND run_after <= :due_to
  AND (:run_id IS NULL OR instr(run_id, :run_id) > 0)
ORDER BY run_after DESC, id DESC LIMIT :limit;

-- name: browse_runs_of_dag_oldest
SELECT id, run_after FROM dag_run
WHERE dag_id = :dag_id AND (run_after, id) >= (:run_after, :run) AND run_after >= :due_from AND run_after <= :due_to
  AND (:run_id IS NULL OR instr(run_id, :run_id) > 0)
ORDER BY run_after, id LIMIT :limit;

-- name: browse_run
SELECT id, run_after FROM dag_run WHERE run_id = :run_id AND dag_id = :dag_id;

-- name: browse_active_runs
-- Few, whatever the history. (+ keeps the planner on the index dag_run_active.)
SELECT id, run_after FROM dag_run
WHERE state IN ('queued', 'running')
  AND +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags}
  AND (:run_id IS NULL OR instr(run_id, :run_id) > 0);

-- name: browse_tasks
-- Which instances of some runs are wanted, in the order of the runs.
SELECT t.run, t.task_id, t.map_index FROM json_each(:runs) j CROSS JOIN task_instance t ON t.run = j.value
WHERE {wanted_tasks}
  AND (t.run <> :run OR (t.task_id, t.map_index) > (:after_task, :after_index))
ORDER BY j.key, t.task_id, t.map_index LIMIT :limit;

-- name: browse_tasks_back
-- The same from the last task of a run to the first, for the page before one.
SELECT t.run, t.task_id, t.map_index FROM json_each(:runs) j CROSS JOIN task_instance t ON t.run = j.value
WHERE {wanted_tasks}
  AND (t.run <> :run OR (t.task_id, t.map_index) < (:after_task, :after_index))
ORDER BY j.key, t.task_id DESC, t.map_index DESC LIMIT :limit;

-- name: browse_broken
-- The same for what failed: the index has nothing else.
SELECT t.run, t.task_id, t.map_index
FROM json_each(:runs) j CROSS JOIN task_instance t INDEXED BY task_instance_broken ON t.run = j.value
WHERE t.state IN ('failed', 'upstream_failed')
  AND {wanted_tasks}
  AND (t.run <> :run OR (t.task_id, t.map_index) > (:after_task, :after_index))
ORDER BY j.key, t.task_id, t.map_index LIMIT :limit;

-- name: browse_broken_back
-- The same from the last task of a run to the first.
SELECT t.run, t.task_id, t.map_index
FROM json_each(:runs) j CROSS JOIN task_instance t INDEXED BY task_instance_broken ON t.run = j.value
WHERE t.state IN ('failed', 'upstream_failed')
  AND {wanted_tasks}
  AND (t.run <> :run OR (t.task_id, t.map_index) < (:after_task, :after_index))
ORDER BY j.key, t.task_id DESC, t.map_index DESC LIMIT :limit;

-- name: browse_retried
-- And for what was tried again.
SELECT t.run, t.task_id, t.map_index
FROM json_each(:runs) j CROSS JOIN task_instance t INDEXED BY task_instance_retried ON t.run = j.value
WHERE t.try_number > 1
  AND {wanted_tasks}
  AND (t.run <> :run OR (t.task_id, t.map_index) > (:after_task, :after_index))
ORDER BY j.key, t.task_id, t.map_index LIMIT :limit;

-- name: browse_retried_back
-- The same from the last task of a run to the first.
SELECT t.run, t.task_id, t.map_index
FROM json_each(:runs) j CROSS JOIN task_instance t INDEXED BY task_instance_retried ON t.run = j.value
WHERE t.try_number > 1
  AND {wanted_tasks}
  AND (t.run <> :run OR (t.task_id, t.map_index) < (:after_task, :after_index))
ORDER BY j.key, t.task_id DESC, t.map_index DESC LIMIT :limit;

-- name: browse_started_newest
-- The next instances in the order of their start, from the index alone.
SELECT started_at, run, task_id, map_index FROM task_instance INDEXED BY task_instance_started
WHERE started_at IS NOT NULL AND started_at >= :started_from AND started_at <= :started_to
  AND (started_at, run, task_id, map_index) < (:at, :run, :after_task, :after_index)
ORDER BY started_at DESC, run DESC, task_id DESC, map_index DESC LIMIT :limit;

-- name: browse_started_oldest
SELECT started_at, run, task_id, map_index FROM task_instance INDEXED BY task_instance_started
WHERE started_at IS NOT NULL AND started_at >= :started_from AND started_at <= :started_to
  AND (started_at, run, task_id, map_index) > (:at, :run, :after_task, :after_index)
ORDER BY started_at, run, task_id, map_index LIMIT :limit;

-- name: browse_duration_longest
-- The next instances in the order of how long they took; what has not ended has no place in it. Those that took as long as
-- the one at the place come first, by themselves: they may be many.
SELECT * FROM (
  SELECT ended_at - started_at AS took, run, task_id, map_index FROM task_instance INDEXED BY task_instance_duration
  WHERE ended_at IS NOT NULL AND started_at IS NOT NULL AND ended_at - started_at = :at
    AND run <= :run AND (run, task_id, map_index) < (:run, :after_task, :after_index)
  ORDER BY run DESC, task_id DESC, map_index DESC LIMIT :limit)
UNION ALL
SELECT * FROM (
  SELECT ended_at - started_at AS took, run, task_id, map_index FROM task_instance INDEXED BY task_instance_duration
  WHERE ended_at IS NOT NULL AND started_at IS NOT NULL AND ended_at - started_at < :at
  ORDER BY ended_at - started_at DESC, run DESC, task_id DESC, map_index DESC LIMIT :limit)
LIMIT :limit;

-- name: browse_duration_shortest
SELECT * FROM (
  SELECT ended_at - started_at AS took, run, task_id, map_index FROM task_instance INDEXED BY task_instance_duration
  WHERE ended_at IS NOT NULL AND started_at IS NOT NULL AND ended_at - started_at = :at
    AND run >= :run AND (run, task_id, map_index) > (:run, :after_task, :after_index)
  ORDER BY run, task_id, map_index LIMIT :limit)
UNION ALL
SELECT * FROM (
  SELECT ended_at - started_at AS took, run, task_id, map_index FROM task_instance INDEXED BY task_instance_duration
  WHERE ended_at IS NOT NULL AND started_at IS NOT NULL AND ended_at - started_at > :at
  ORDER BY ended_at - started_at, run, task_id, map_index LIMIT :limit)
LIMIT :limit;

-- name: browse_chosen
-- Which of some instances are wanted, in the order given.
SELECT t.run, t.task_id, t.map_index
FROM json_each(:keys) k CROSS JOIN task_instance t
  ON t.run = k.value ->> 0 AND t.task_id = k.value ->> 1 AND t.map_index = k.value ->> 2
JOIN dag_run r ON r.id = t.run
WHERE {wanted_tasks}
  AND r.run_after >= :due_from AND r.run_after <= :due_to
  AND (:dag_ids IS NULL OR r.dag_id IN (SELECT value FROM json_each(:dag_ids)))
  AND (:run_id IS NULL OR instr(r.run_id, :run_id) > 0)
ORDER BY k.key LIMIT :limit;

-- name: browse_rows
-- Instances by their keys, in the order given.
SELECT r.dag_id, r.run_id, t.*
FROM json_each(:keys) k CROSS JOIN task_instance t
  ON t.run = k.value ->> 0 AND t.task_id = k.value ->> 1 AND t.map_index = k.value ->> 2
JOIN dag_run r ON r.id = t.run ORDER BY k.key;

-- name: browse_names
SELECT id, dag_id, run_id, run_after FROM dag_run WHERE id IN (SELECT value FROM json_each(:runs));

-- name: add_audit
INSERT INTO audit (at, via, who, action, dag_id, run_id, task_id, map_index, arguments, touched, error)
VALUES (:at, :via, :who, :action, :dag_id, :run_id, :task_id, :map_index, :arguments, :touched, :error);

-- name: trim_audit
-- Lines are added in the order of time: only the first are looked at.
DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT :limit) AND at < :before;

-- name: audit_lines
-- Newest first.
SELECT * FROM audit
WHERE id < :before AND id > :after
  AND {wanted_lines}
  AND (:text IS NULL OR instr(arguments, :text) > 0 OR instr(dag_id, :text) > 0 OR instr(run_id, :text) > 0
       OR instr(task_id, :text) > 0)
ORDER BY id DESC LIMIT :limit;

-- name: audit_lines_oldest
SELECT * FROM audit
WHERE id < :before AND id > :after
  AND {wanted_lines}
  AND (:text IS NULL OR instr(arguments, :text) > 0 OR instr(dag_id, :text) > 0 OR instr(run_id, :text) > 0
       OR instr(task_id, :text) > 0)
ORDER BY id LIMIT :limit;

-- name: audit_of_dag
SELECT * FROM audit
WHERE dag_id = :dag_id AND dag_id <> '' AND id < :before AND id > :after
  AND (:run_id IS NULL OR run_id = :run_id OR (run_id = '' AND instr(arguments, :run_id) > 0))
  AND (:task_id IS NULL OR task_id = :task_id)
  AND {wanted_lines}
  AND (:text IS NULL OR instr(arguments, :text) > 0 OR instr(run_id, :text) > 0 OR instr(task_id, :text) > 0)
ORDER BY id DESC LIMIT :limit;

-- name: audit_of_dag_oldest
SELECT * FROM audit
WHERE dag_id = :dag_id AND dag_id <> '' AND id < :before AND id > :after
  AND (:run_id IS NULL OR run_id = :run_id OR (run_id = '' AND instr(arguments, :run_id) > 0))
  AND (:task_id IS NULL OR task_id = :task_id)
  AND {wanted_lines}
  AND (:text IS NULL OR instr(arguments, :text) > 0 OR instr(run_id, :text) > 0 OR instr(task_id, :text) > 0)
ORDER BY id LIMIT :limit;

-- name: audit_actions
SELECT DISTINCT action FROM audit ORDER BY action;
