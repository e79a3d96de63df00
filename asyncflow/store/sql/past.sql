-- Reads of how things were, and of how long they usually take. Both are for a window of runs of one DAG.

-- name: past_spans
-- Of each run: when its first and its last line was written into the journal.
SELECT r.value AS run_id,
  (SELECT at FROM journal WHERE seq = (
    SELECT min(seq) FROM journal WHERE dag_id = :dag_id AND dag_id <> '' AND run_id = r.value)) AS first_at,
  (SELECT at FROM journal WHERE seq = (
    SELECT max(seq) FROM journal WHERE dag_id = :dag_id AND dag_id <> '' AND run_id = r.value)) AS last_at
FROM json_each(:run_ids) r;

-- name: past_states
-- The last line at a moment or before about each run (task_id '') and each instance of some tasks. The columns beside
-- the one max() are those of its row; `seq` is NULL for what has later lines only.
SELECT j.run_id, j.task_id, j.map_index, max(CASE WHEN j.at <= :at THEN j.seq END) AS seq, j.after, j.at, j.try_number,
  total(j.at > :at) > 0 AS later
FROM json_each(:run_ids) r CROSS JOIN journal j ON j.dag_id = :dag_id AND j.dag_id <> '' AND j.run_id = r.value
WHERE j.after <> '' AND (j.task_id = '' OR j.task_id IN (SELECT key FROM json_each(:lines)))
GROUP BY 1, 2, 3;

-- name: past_instances
-- The instances of some tasks as they are now.
SELECT t.run, t.task_id, t.map_index, t.state, t.try_number, t.started_at, t.ended_at, t.queued_at
FROM json_each(:runs) r CROSS JOIN json_each(:lines) w CROSS JOIN task_instance t
  ON t.run = r.value AND t.task_id = w.key;

-- name: usual_spans
-- How long each task took in each of some runs, in microseconds; a mapped one from its first start to its last end.
SELECT t.task_id, max(t.ended_at) - min(t.started_at)
FROM json_each(:runs) r CROSS JOIN task_instance t ON t.run = r.value
WHERE t.state = 'success' AND t.ended_at >= t.started_at
GROUP BY t.run, t.task_id;
