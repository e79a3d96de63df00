-- part: found_runs
(:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
  AND (:run_types IS NULL OR run_type IN (SELECT value FROM json_each(:run_types)))
  AND (:logical_from IS NULL OR logical_date >= :logical_from)
  AND (:logical_to IS NULL OR logical_date <= :logical_to)

-- name: insert_run
-- A run that must not exist yet.
INSERT INTO dag_run (
  dag_id, run_id, run_type, state, logical_date, data_interval_start, data_interval_end, run_after, queued_at,
  started_at, ended_at, conf, external_trigger, version, triggered_by, note, clear_number, backfill_id)
VALUES (
  :dag_id, :run_id, :run_type, :state, :logical_date, :data_interval_start, :data_interval_end, :run_after, :queued_at,
  :started_at, :ended_at, :conf, :external_trigger, :version, :triggered_by, :note, :clear_number, :backfill_id);

-- name: update_run
-- Everything of a run but its names, if it is in the state its writer believes.
UPDATE dag_run SET
  run_type = :run_type, state = :state, logical_date = :logical_date, data_interval_start = :data_interval_start,
  data_interval_end = :data_interval_end, run_after = :run_after, queued_at = :queued_at, started_at = :started_at,
  ended_at = :ended_at, conf = :conf, external_trigger = :external_trigger, version = :version,
  triggered_by = :triggered_by, note = :note, clear_number = :clear_number, backfill_id = :backfill_id
WHERE dag_id = :dag_id AND run_id = :run_id AND state = :expected;

-- name: spills_of_run
SELECT x.spill FROM dag_run r JOIN xcom x ON x.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id AND x.spill IS NOT NULL;

-- name: delete_run
-- What belongs to it goes along (ON DELETE CASCADE).
DELETE FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id;

-- name: run_state
SELECT state FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id;

-- name: load_run
SELECT * FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id;

-- name: runs_by_id
SELECT * FROM dag_run
WHERE dag_id = :dag_id AND run_id IN (SELECT value FROM json_each(:run_ids)) ORDER BY run_after, id;

-- name: load_active_runs
-- In order of creation; the condition is the one of the index dag_run_active.
SELECT * FROM dag_run WHERE state IN ('queued', 'running') ORDER BY id;

-- name: run_exists
-- The run that has the name, or else the one that has the logical date.
SELECT run_id FROM dag_run WHERE run_id = :run_id AND dag_id = :dag_id
UNION ALL
SELECT run_id FROM dag_run WHERE dag_id = :dag_id AND logical_date = :logical_date
LIMIT 1;

-- name: find_runs_newest
SELECT * FROM dag_run
WHERE {found_runs}
ORDER BY run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: find_runs_oldest
SELECT * FROM dag_run
WHERE {found_runs}
ORDER BY run_after, id LIMIT :limit OFFSET :offset;

-- name: find_runs_of_dag_newest
SELECT * FROM dag_run
WHERE dag_id = :dag_id
  AND {found_runs}
ORDER BY run_after DESC, id DESC LIMIT :limit OFFSET :offset;

-- name: find_runs_of_dag_oldest
SELECT * FROM dag_run
WHERE dag_id = :dag_id
  AND {found_runs}
ORDER BY run_after, id LIMIT :limit OFFSET :offset;

-- name: run_before
-- The nearest earlier run by logical date.
SELECT * FROM dag_run
WHERE dag_id = :dag_id AND logical_date < :logical_date
  AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
  AND (:run_types IS NULL OR run_type IN (SELECT value FROM json_each(:run_types)))
ORDER BY logical_date DESC LIMIT 1;

-- name: last_automated_run
-- Where the schedule has come to: the condition is the one of the index dag_run_automated.
SELECT * FROM dag_run
WHERE dag_id = :dag_id AND run_type IN ('scheduled', 'backfill') AND logical_date IS NOT NULL
ORDER BY logical_date DESC LIMIT 1;

-- name: last_automated_runs
-- The same for every active DAG at once.
SELECT dag_run.* FROM dag JOIN dag_run ON dag_run.id = (
  SELECT id FROM dag_run AS last
  WHERE last.dag_id = dag.dag_id AND last.run_type IN ('scheduled', 'backfill') AND last.logical_date IS NOT NULL
  ORDER BY last.logical_date DESC LIMIT 1)
WHERE dag.active = 1;

-- name: last_runs
-- The newest run of each DAG asked for (of all, when none is named).
SELECT dag_run.* FROM dag JOIN dag_run ON dag_run.id = (
  SELECT id FROM dag_run AS last WHERE last.dag_id = dag.dag_id ORDER BY last.run_after DESC, last.id DESC LIMIT 1)
WHERE :dag_ids IS NULL OR dag.dag_id IN (SELECT value FROM json_each(:dag_ids));

-- name: count_runs
SELECT coalesce(sum(n), 0) FROM run_count WHERE dag_id = :dag_id;

-- name: run_counts
SELECT dag_id, state, n FROM run_count
WHERE n > 0 AND (:dag_ids IS NULL OR dag_id IN (SELECT value FROM json_each(:dag_ids)));

-- name: recount_runs
-- For `check`: the counters that are not what the runs say.
SELECT dag_id, state, sum(counted) AS counted, sum(n) AS n FROM (
  SELECT dag_id, state, count(*) AS counted, 0 AS n FROM dag_run GROUP BY dag_id, state
  UNION ALL
  SELECT dag_id, state, 0, n FROM run_count)
GROUP BY dag_id, state HAVING sum(counted) <> sum(n);
