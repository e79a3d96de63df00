-- name: delete_xcom
DELETE FROM xcom
WHERE run = (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id)
  AND task_id = :task_id AND map_index = :map_index AND key = :key
RETURNING spill;

-- name: insert_xcom
INSERT INTO xcom (run, task_id, map_index, key, value, spill, at)
VALUES (
  (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id), :task_id, :map_index, :key, :value, :spill, :at);

-- name: clear_xcoms
DELETE FROM xcom
WHERE run = (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id)
  AND task_id = :task_id AND map_index = :map_index
RETURNING spill;

-- name: xcom_rows
-- Of one run: newest push first.
SELECT r.run_id, x.task_id, x.map_index, x.key, x.value, x.spill, x.at
FROM dag_run r JOIN xcom x ON x.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id
  AND (:task_ids IS NULL OR x.task_id IN (SELECT value FROM json_each(:task_ids)))
  AND (:key IS NULL OR x.key = :key)
  AND (:map_indexes IS NULL OR x.map_index IN (SELECT value FROM json_each(:map_indexes)))
ORDER BY x.id DESC;

-- name: xcom_rows_prior
-- Of a run and of the runs of a DAG that are not after it (it may be a run of another DAG): newest logical date first,
-- then newest push.
SELECT r.run_id, x.task_id, x.map_index, x.key, x.value, x.spill, x.at
FROM dag_run r JOIN xcom x ON x.run = r.id
WHERE r.dag_id = :dag_id
  AND (r.run_id = :run_id OR r.logical_date <= (SELECT max(logical_date) FROM dag_run WHERE run_id = :run_id))
  AND (:task_ids IS NULL OR x.task_id IN (SELECT value FROM json_each(:task_ids)))
  AND (:key IS NULL OR x.key = :key)
  AND (:map_indexes IS NULL OR x.map_index IN (SELECT value FROM json_each(:map_indexes)))
ORDER BY r.logical_date DESC, x.id DESC;

-- name: spills_of_dag
SELECT x.spill FROM dag_run r JOIN xcom x ON x.run = r.id WHERE r.dag_id = :dag_id AND x.spill IS NOT NULL;

-- name: list_spills
SELECT spill FROM xcom WHERE spill IS NOT NULL;
