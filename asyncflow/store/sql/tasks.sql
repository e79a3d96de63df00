-- name: insert_task
-- A task instance that must not exist yet.
INSERT INTO task_instance (
  run, task_id, map_index, state, try_number, max_tries, token, scheduled_at, queued_at, started_at, ended_at,
  not_before, first_poke_at, poke_count, condition, pid, pid_started, host_pid, host_pid_started, map_length, skips,
  rendered_map_index, next_method, next_kwargs, "trigger", trigger_timeout, priority_weight, pool, pool_slots,
  operator, note)
VALUES (
  (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id), :task_id, :map_index, :state, :try_number,
  :max_tries, :token, :scheduled_at, :queued_at, :started_at, :ended_at, :not_before, :first_poke_at, :poke_count,
  :condition, :pid, :pid_started, :host_pid, :host_pid_started, :map_length, :skips, :rendered_map_index, :next_method, :next_kwargs,
  :trigger, :trigger_timeout, :priority_weight, :pool, :pool_slots, :operator, :note);

-- name: update_task
-- Everything of a task instance but its names, if it is in the state its writer believes.
UPDATE task_instance SET
  state = :state, try_number = :try_number, max_tries = :max_tries, token = :token, scheduled_at = :scheduled_at,
  queued_at = :queued_at, started_at = :started_at, ended_at = :ended_at, not_before = :not_before,
  first_poke_at = :first_poke_at, poke_count = :poke_count, condition = :condition, pid = :pid, pid_started = :pid_started,
  host_pid = :host_pid, host_pid_started = :host_pid_started, map_length = :map_length, skips = :skips,
  rendered_map_index = :rendered_map_index, next_method = :next_method, next_kwargs = :next_kwargs,
  "trigger" = :trigger, trigger_timeout = :trigger_timeout,
  priority_weight = :priority_weight, pool = :pool, pool_slots = :pool_slots, operator = :operator, note = :note
WHERE run = (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id)
  AND task_id = :task_id AND map_index = :map_index AND state = :expected;

-- name: task_state
SELECT state FROM task_instance
WHERE run = (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id)
  AND task_id = :task_id AND map_index = :map_index;

-- name: delete_task
DELETE FROM task_instance
WHERE run = (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id)
  AND task_id = :task_id AND map_index = :map_index;

-- name: list_tasks
SELECT r.dag_id, r.run_id, t.* FROM dag_run r JOIN task_instance t ON t.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id ORDER BY t.task_id, t.map_index;

-- name: load_task
SELECT r.dag_id, r.run_id, t.* FROM dag_run r JOIN task_instance t ON t.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id AND t.task_id = :task_id AND t.map_index = :map_index;

-- name: load_active_tasks
-- Of all active runs, in the order of load_active_runs. (CROSS JOIN keeps the planner on the partial index.)
SELECT r.dag_id, r.run_id, t.* FROM dag_run r CROSS JOIN task_instance t ON t.run = r.id
WHERE r.state IN ('queued', 'running') ORDER BY r.id, t.task_id, t.map_index;

-- name: drop_other_try
-- A try that starts anew under the same number (a sensor's next poke) leaves nothing of its last process behind.
DELETE FROM task_try
WHERE run = (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id)
  AND task_id = :task_id AND map_index = :map_index AND try_number = :try_number AND token <> :token;

-- name: save_try
-- What a later write of the same try does not know (null, or an empty text) stays as it was.
INSERT INTO task_try (
  run, task_id, map_index, try_number, token, state, queued_at, started_at, ended_at, pid, exit_code, signal, reason,
  error, cpu_seconds, peak_rss_kb, version)
VALUES (
  (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id), :task_id, :map_index, :try_number, :token,
  :state, :queued_at, :started_at, :ended_at, :pid, :exit_code, :signal, :reason, :error, :cpu_seconds, :peak_rss_kb,
  :version)
ON CONFLICT (run, task_id, map_index, try_number) DO UPDATE SET
  state = excluded.state,
  queued_at = coalesce(excluded.queued_at, queued_at),
  started_at = coalesce(excluded.started_at, started_at),
  ended_at = coalesce(excluded.ended_at, ended_at),
  pid = coalesce(excluded.pid, pid),
  exit_code = coalesce(excluded.exit_code, exit_code),
  signal = coalesce(excluded.signal, signal),
  reason = coalesce(nullif(excluded.reason, ''), reason),
  error = coalesce(nullif(excluded.error, ''), error),
  cpu_seconds = coalesce(excluded.cpu_seconds, cpu_seconds),
  peak_rss_kb = coalesce(excluded.peak_rss_kb, peak_rss_kb),
  version = coalesce(nullif(excluded.version, ''), version);

-- name: list_tries
SELECT t.* FROM dag_run r JOIN task_try t ON t.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id AND t.task_id = :task_id AND t.map_index = :map_index
ORDER BY t.try_number;

-- name: save_rendered
INSERT INTO rendered (run, task_id, map_index, fields)
VALUES ((SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id), :task_id, :map_index, :fields)
ON CONFLICT (run, task_id, map_index) DO UPDATE SET fields = excluded.fields;

-- name: load_rendered
SELECT f.fields FROM dag_run r JOIN rendered f ON f.run = r.id
WHERE r.dag_id = :dag_id AND r.run_id = :run_id AND f.task_id = :task_id AND f.map_index = :map_index;
