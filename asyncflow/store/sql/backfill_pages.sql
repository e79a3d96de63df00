-- name: page_backfills
-- Newest first, without the dates of each, which may be many.
SELECT backfill_id, dag_id, state, paused, position, json_array_length(dates) AS total, options, created_at, ended_at,
  triggered_by, reason
FROM backfill
WHERE backfill_id < :before AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
ORDER BY backfill_id DESC LIMIT :limit;

-- name: page_backfills_of_dag
SELECT backfill_id, dag_id, state, paused, position, json_array_length(dates) AS total, options, created_at, ended_at,
  triggered_by, reason
FROM backfill
WHERE dag_id = :dag_id AND backfill_id < :before
  AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
ORDER BY backfill_id DESC LIMIT :limit;

-- name: page_backfill_runs
-- How many runs of some backfills are in each state.
SELECT r.backfill_id, r.state, count(*) FROM json_each(:ids) i CROSS JOIN dag_run r ON r.backfill_id = i.value
WHERE r.backfill_id IS NOT NULL GROUP BY r.backfill_id, r.state;

-- name: page_runs_on
-- The runs of a DAG with these logical dates.
SELECT r.* FROM json_each(:dates) d CROSS JOIN dag_run r ON r.dag_id = :dag_id AND r.logical_date = d.value;

-- name: page_runs_between
-- The runs of a DAG with a logical date from one moment up to another.
SELECT * FROM dag_run WHERE dag_id = :dag_id AND logical_date >= :start AND logical_date < :end
ORDER BY logical_date LIMIT :limit;
