-- part: shown
backfill_id, dag_id, state, paused, position, json_array_length(dates) AS total, options, created_at, ended_at,
  triggered_by, reason
FROM backfill

-- part: sort
CASE :by WHEN 'dag' THEN dag_id WHEN 'state' THEN state WHEN 'ended' THEN ended_at
    WHEN 'who' THEN triggered_by ELSE backfill_id END

-- name: page_backfills_falling
-- Without the dates of each, which may be many; the few that are shown are chosen without a look at these.
SELECT {shown}
WHERE backfill_id IN (
  SELECT backfill_id FROM backfill
  WHERE (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
  ORDER BY {sort} DESC, backfill_id DESC LIMIT :limit OFFSET :offset)
ORDER BY {sort} DESC, backfill_id DESC;

-- name: page_backfills_rising
SELECT {shown}
WHERE backfill_id IN (
  SELECT backfill_id FROM backfill
  WHERE (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
  ORDER BY {sort}, backfill_id LIMIT :limit OFFSET :offset)
ORDER BY {sort}, backfill_id;

-- name: page_backfills_of_dag_falling
SELECT {shown}
WHERE backfill_id IN (
  SELECT backfill_id FROM backfill
  WHERE dag_id = :dag_id AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
  ORDER BY {sort} DESC, backfill_id DESC LIMIT :limit OFFSET :offset)
ORDER BY {sort} DESC, backfill_id DESC;

-- name: page_backfills_of_dag_rising
SELECT {shown}
WHERE backfill_id IN (
  SELECT backfill_id FROM backfill
  WHERE dag_id = :dag_id AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
  ORDER BY {sort}, backfill_id LIMIT :limit OFFSET :offset)
ORDER BY {sort}, backfill_id;

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
