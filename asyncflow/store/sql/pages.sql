-- part: shown_state
CASE WHEN t.state = 'deferred' AND t."trigger" ->> 'classpath' = 'asyncflow.triggers.hitl.HITLTrigger'
  THEN 'awaiting_input' ELSE t.state END

-- part: wanted_runs
(:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
  AND (:run_types IS NULL OR run_type IN (SELECT value FROM json_each(:run_types)))
  AND (:run_id IS NULL OR instr(run_id, :run_id) > 0)

-- part: wanted_dags
(:dag_ids IS NULL OR dag_id IN (SELECT value FROM json_each(:dag_ids)))

-- part: sort_of_runs
CASE :by WHEN 'started' THEN started_at WHEN 'duration' THEN ended_at - started_at WHEN 'state' THEN state
    ELSE run_after END

-- name: page_dags
-- What the list needs of every DAG in the folder, without its definition.
SELECT d.dag_id, d.file, d.version, d.paused, d.next_logical_date, d.next_interval_start, d.next_interval_end,
  d.next_run_after, e.line AS error_line, e.file IS NOT NULL AS broken
FROM dag d LEFT JOIN import_error e ON e.file = d.file
WHERE d.active = 1 ORDER BY d.dag_id;

-- name: page_specs
SELECT d.dag_id, d.version, v.spec FROM dag d JOIN dag_version v ON v.dag_id = d.dag_id AND v.version = d.version
WHERE d.dag_id IN (SELECT value FROM json_each(:dag_ids));

-- name: page_last_runs
-- The newest run of every DAG in the folder.
SELECT r.id, r.dag_id, r.run_id, r.state, r.run_type, r.logical_date, r.run_after, r.started_at, r.ended_at
FROM dag d JOIN dag_run r ON r.id = (
  SELECT id FROM dag_run AS last WHERE last.dag_id = d.dag_id ORDER BY last.run_after DESC, last.id DESC LIMIT 1)
WHERE d.active = 1;

-- name: page_recent_runs
-- The newest runs of some DAGs, each DAG's newest first.
SELECT r.id, r.dag_id, r.run_id, r.state, r.run_type, r.logical_date, r.run_after, r.started_at, r.ended_at
FROM json_each(:dag_ids) d JOIN dag_run r ON r.id IN (
  SELECT id FROM dag_run AS recent WHERE recent.dag_id = d.value
  ORDER BY recent.run_after DESC, recent.id DESC LIMIT :limit)
ORDER BY r.dag_id, r.run_after DESC, r.id DESC;

-- name: page_task_states
-- How many task instances of some runs are in each state.
SELECT t.run, {shown_state}, count(*) FROM json_each(:runs) r JOIN task_instance t ON t.run = r.value
GROUP BY 1, 2;

-- name: page_find_runs
-- The list of runs over all DAGs. The first two conditions are on the index that orders it.
SELECT * FROM dag_run
WHERE run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_find_runs_oldest
SELECT * FROM dag_run
WHERE run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY run_after, id LIMIT :limit OFFSET :offset;

-- name: page_find_runs_of_dag
SELECT * FROM dag_run
WHERE dag_id = :dag_id AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_runs}
ORDER BY run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_active_runs
-- Few, whatever the history: the condition is the one of the index dag_run_active. (+ keeps the planner on it.)
SELECT * FROM dag_run
WHERE state IN ('queued', 'running')
  AND +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY +run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_failed_runs
-- The condition is the one of the index dag_run_failed.
SELECT * FROM dag_run
WHERE state = 'failed'
  AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_unscheduled_runs
-- The condition is the one of the index dag_run_unscheduled.
SELECT * FROM dag_run
WHERE run_type <> 'scheduled'
  AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_runs_by_start_newest
-- The list of runs in other orders, each from its index.
SELECT * FROM dag_run INDEXED BY dag_run_started
WHERE +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY started_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_runs_by_start_oldest
SELECT * FROM dag_run INDEXED BY dag_run_started
WHERE +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY started_at, id LIMIT :limit OFFSET :offset;

-- name: page_runs_by_duration_longest
SELECT * FROM dag_run INDEXED BY dag_run_duration
WHERE +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY ended_at - started_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_runs_by_duration_shortest
SELECT * FROM dag_run INDEXED BY dag_run_duration
WHERE +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY ended_at - started_at, id LIMIT :limit OFFSET :offset;

-- name: page_runs_by_state_falling
SELECT * FROM dag_run INDEXED BY dag_run_state
WHERE +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY state || '' DESC, run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_runs_by_state_rising
SELECT * FROM dag_run INDEXED BY dag_run_state
WHERE +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY state || '', run_after, id LIMIT :limit OFFSET :offset;

-- name: page_sorted_of_dag_runs_falling
-- The same of few runs, which are sorted: those of a DAG, and what partial indexes have.
SELECT * FROM dag_run
WHERE dag_id = :dag_id AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_runs}
ORDER BY {sort_of_runs} DESC, run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_sorted_of_dag_runs_rising
SELECT * FROM dag_run
WHERE dag_id = :dag_id AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_runs}
ORDER BY {sort_of_runs}, run_after, id LIMIT :limit OFFSET :offset;

-- name: page_sorted_active_runs_falling
SELECT * FROM dag_run
WHERE state IN ('queued', 'running') AND +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY {sort_of_runs} DESC, run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_sorted_active_runs_rising
SELECT * FROM dag_run
WHERE state IN ('queued', 'running') AND +run_after >= :due_from AND +run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY {sort_of_runs}, run_after, id LIMIT :limit OFFSET :offset;

-- name: page_sorted_failed_runs_falling
SELECT * FROM dag_run
WHERE state = 'failed' AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY {sort_of_runs} DESC, run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_sorted_failed_runs_rising
SELECT * FROM dag_run
WHERE state = 'failed' AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY {sort_of_runs}, run_after, id LIMIT :limit OFFSET :offset;

-- name: page_sorted_unscheduled_runs_falling
SELECT * FROM dag_run
WHERE run_type <> 'scheduled' AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY {sort_of_runs} DESC, run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: page_sorted_unscheduled_runs_rising
SELECT * FROM dag_run
WHERE run_type <> 'scheduled' AND run_after >= :due_from AND run_after <= :due_to
  AND {wanted_dags} AND {wanted_runs}
ORDER BY {sort_of_runs}, run_after, id LIMIT :limit OFFSET :offset;

-- name: page_runs_named
-- Runs whose id begins with a text: `:after` is the first text behind all of them.
SELECT dag_id, run_id, state FROM dag_run WHERE run_id >= :text AND run_id < :after ORDER BY run_id DESC LIMIT :limit;

-- name: page_runs_called
SELECT dag_id, run_id, state FROM dag_run WHERE run_id = :run_id ORDER BY dag_id LIMIT :limit;

-- name: page_run_tasks
-- Names and states alone: what a page of them is chosen from.
SELECT t.task_id, t.map_index, {shown_state} FROM dag_run r JOIN task_instance t ON t.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id;

-- name: page_tasks
SELECT r.dag_id, r.run_id, t.* FROM dag_run r, json_each(:keys) k
JOIN task_instance t ON t.run = r.id AND t.task_id = k.value ->> 0 AND t.map_index = k.value ->> 1
WHERE r.dag_id = :dag_id AND r.run_id = :run_id ORDER BY k.key;

-- name: page_older
-- The run of a DAG that was due before one.
SELECT run_id FROM dag_run WHERE dag_id = :dag_id AND (run_after, id) < (:run_after, :id)
ORDER BY run_after DESC, id DESC LIMIT 1;

-- name: page_newer
SELECT run_id FROM dag_run WHERE dag_id = :dag_id AND (run_after, id) > (:run_after, :id)
ORDER BY run_after, id LIMIT 1;

-- name: page_run_place
SELECT id, run_after FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id;

-- name: page_tried
-- The tries of a run that wrote a log, newest first.
SELECT t.task_id, t.map_index, t.try_number, t.started_at FROM dag_run r JOIN task_try t ON t.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id AND t.started_at IS NOT NULL
ORDER BY t.started_at DESC, t.task_id, t.map_index LIMIT :limit OFFSET :offset;
