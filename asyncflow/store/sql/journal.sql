-- name: append_journal
INSERT INTO journal (at, event, dag_id, run_id, task_id, map_index, try_number, before, after, actor, details)
VALUES (:at, :event, :dag_id, :run_id, :task_id, :map_index, :try_number, :before, :after, :actor, :details);

-- name: last_seq
-- Also right when old lines were deleted.
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'journal'), 0);

-- name: list_journal
SELECT * FROM journal WHERE seq > :after_seq ORDER BY seq LIMIT :limit;

-- name: list_journal_of_dag
SELECT * FROM journal WHERE dag_id = :dag_id AND dag_id <> '' AND seq > :after_seq ORDER BY seq LIMIT :limit;

-- name: list_journal_of_run
SELECT * FROM journal
WHERE dag_id = :dag_id AND dag_id <> '' AND run_id = :run_id AND seq > :after_seq
ORDER BY seq LIMIT :limit;

-- name: add_callback
-- A second write of the same callback changes nothing.
INSERT INTO callback (callback_id, payload, created_at) VALUES (:callback_id, :payload, :at)
ON CONFLICT (callback_id) DO NOTHING;

-- name: list_pending_callbacks
SELECT callback_id, payload, tries FROM callback WHERE done_at IS NULL ORDER BY created_at, rowid;

-- name: callback_tried
UPDATE callback SET tries = tries + 1 WHERE callback_id = :callback_id;

-- name: callback_done
UPDATE callback SET done_at = :at, error = :error WHERE callback_id = :callback_id AND done_at IS NULL;

-- name: load_meta
SELECT value FROM meta WHERE key = :key;

-- name: save_meta
INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value;
