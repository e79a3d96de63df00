-- name: xcom_heads
-- What one instance pushed, last push first: the beginning of each value. A spilled one has its file instead.
SELECT x.key, substr(x.value, 1, :most) AS head, length(x.value) AS size, x.spill, x.at
FROM dag_run r JOIN xcom x ON x.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id AND x.task_id = :task_id AND x.map_index = :map_index
ORDER BY x.id DESC LIMIT :limit;

-- name: list_journal_of_task
-- Reads the lines of the run, which the index finds.
SELECT * FROM journal
WHERE dag_id = :dag_id AND dag_id <> '' AND run_id = :run_id AND task_id = :task_id AND map_index = :map_index
  AND seq > :after_seq
ORDER BY seq LIMIT :limit;

-- name: copies_of_task
-- All mapped copies of a task in a run, for what is sorted and counted; the key of the table finds them.
SELECT t.map_index, t.state, t.started_at, t.ended_at FROM dag_run r JOIN task_instance t ON t.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id AND t.task_id = :task_id AND t.map_index >= 0;
