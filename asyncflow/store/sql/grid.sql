-- Reads of the pages of one DAG. Each is for a window: a few dozen runs, never the whole history.

-- part: shown_state
CASE WHEN t.state = 'deferred' AND t."trigger" ->> 'classpath' = 'asyncflow.triggers.hitl.HITLTrigger'
  THEN 'awaiting_input' ELSE t.state END

-- name: grid_runs
-- Runs of a DAG, newest first, with their numbers.
SELECT * FROM dag_run
WHERE dag_id = :dag_id AND run_after <= :until
  AND (:run_type IS NULL OR run_type = :run_type)
  AND (:state IS NULL OR state = :state)
  AND (:triggered_by IS NULL OR triggered_by = :triggered_by OR triggered_by GLOB :triggered_by || ':*')
ORDER BY run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: numbered_run
SELECT * FROM dag_run WHERE run_id = :run_id AND dag_id = :dag_id;

-- name: run_seqs
-- The last line of the journal about each run: what was read of a run holds until this number grows.
SELECT r.value AS run_id, (SELECT max(seq) FROM journal WHERE dag_id = :dag_id AND dag_id <> '' AND run_id = r.value)
FROM json_each(:run_ids) r;

-- name: run_cells
-- What the task instances of some runs came to. `lines` gives each task the line that it counts for: many tasks of a
-- collapsed group count for one line, as do the copies of a mapped task.
SELECT t.run, w.value, {shown_state}, count(*), max(t.try_number), min(t.started_at), max(t.ended_at), min(t.queued_at),
  max(t.map_index) >= 0
FROM json_each(:runs) r CROSS JOIN json_each(:lines) w CROSS JOIN task_instance t
  ON t.run = r.value AND t.task_id = w.key
GROUP BY 1, 2, 3;

-- name: run_tries
-- Every try of a run, in the order in which they were queued.
SELECT t.task_id, t.map_index, t.try_number, t.state, t.queued_at, t.started_at, t.ended_at
FROM dag_run r JOIN task_try t ON t.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id
ORDER BY coalesce(t.queued_at, t.started_at), t.task_id, t.map_index, t.try_number;

-- name: run_readiness
-- When the task instances of a run could have begun.
SELECT t.task_id, t.map_index, t.rendered_map_index, t.scheduled_at
FROM dag_run r JOIN task_instance t ON t.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id;

-- name: run_days
-- How many runs of each state fall on each day (UTC, days since 1970) of a span.
SELECT logical_date / 86400000000 AS day, state, count(*) FROM dag_run
WHERE dag_id = :dag_id AND logical_date >= :start AND logical_date < :end
GROUP BY 1, 2;

-- name: dag_versions
-- All versions of a DAG, newest first.
SELECT v.version, v.file, v.source_hash, v.created_at FROM dag_version v
WHERE v.dag_id = :dag_id ORDER BY v.created_at DESC, v.rowid DESC;

-- name: file_facts
-- What the last good import of a file said about it.
SELECT * FROM dag_file WHERE file = :file;
