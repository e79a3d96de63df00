-- name: insert_backfill
INSERT INTO backfill (
  backfill_id, dag_id, state, options, dates, position, created_at, ended_at, triggered_by, reason, paused)
VALUES (
  :backfill_id, :dag_id, :state, :options, :dates, :position, :created_at, :ended_at, :triggered_by, :reason, :paused);

-- name: update_backfill
UPDATE backfill SET state = :state, position = :position, ended_at = :ended_at, reason = :reason,
  paused = :paused
WHERE backfill_id = :backfill_id;

-- name: active_backfills
-- The condition is the one of the index backfill_active.
SELECT * FROM backfill WHERE state IN ('running', 'failing', 'cancelling') ORDER BY backfill_id;

-- name: load_backfill
SELECT * FROM backfill WHERE backfill_id = :backfill_id;

-- name: list_backfills
SELECT * FROM backfill WHERE :dag_id IS NULL OR dag_id = :dag_id ORDER BY backfill_id DESC LIMIT :limit;

-- name: last_backfill
SELECT coalesce(max(backfill_id), 0) FROM backfill;

-- name: insert_sla_miss
-- A second word on the same matter changes nothing.
INSERT INTO sla_miss (run, task_id, deadline, missed_at)
VALUES ((SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id), :task_id, :deadline, :missed_at)
ON CONFLICT (run, task_id, deadline) DO NOTHING;

-- name: list_sla_misses
-- Newest first.
SELECT r.dag_id, r.run_id, r.logical_date, m.task_id, m.deadline, m.missed_at
FROM sla_miss m JOIN dag_run r ON r.id = m.run
WHERE (:dag_id IS NULL OR r.dag_id = :dag_id) AND (:run_id IS NULL OR r.run_id = :run_id)
ORDER BY m.missed_at DESC, m.task_id LIMIT :limit;

-- name: active_sla_misses
-- Of the runs that are active.
SELECT r.dag_id, r.run_id, r.logical_date, m.task_id, m.deadline, m.missed_at
FROM dag_run r CROSS JOIN sla_miss m ON m.run = r.id WHERE r.state IN ('queued', 'running');
