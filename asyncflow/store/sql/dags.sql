-- name: load_dags
SELECT d.*, v.spec, EXISTS (SELECT 1 FROM import_error e WHERE e.file = d.file) AS import_error
FROM dag d JOIN dag_version v ON v.dag_id = d.dag_id AND v.version = d.version
WHERE d.active = 1 OR NOT :active_only
ORDER BY d.dag_id;

-- name: load_dag
SELECT d.*, v.spec, EXISTS (SELECT 1 FROM import_error e WHERE e.file = d.file) AS import_error
FROM dag d JOIN dag_version v ON v.dag_id = d.dag_id AND v.version = d.version
WHERE d.dag_id = :dag_id;

-- name: dag_place
SELECT file, active, paused FROM dag WHERE dag_id = :dag_id;

-- name: insert_dag
INSERT INTO dag (dag_id, file, version, paused, created_at, changed_at)
VALUES (:dag_id, :file, :version, :paused, :now, :now);

-- name: update_dag
UPDATE dag SET file = :file, version = :version, active = 1,
  changed_at = CASE WHEN version = :version THEN changed_at ELSE :now END
WHERE dag_id = :dag_id;

-- name: save_dag_state
UPDATE dag SET paused = :paused, next_logical_date = :next_logical_date, next_interval_start = :next_interval_start,
  next_interval_end = :next_interval_end, next_run_after = :next_run_after
WHERE dag_id = :dag_id;

-- name: save_version
-- The same version from another text (a comment was edited) keeps its spec and shows the new text.
INSERT INTO dag_version (dag_id, version, file, spec, source_hash, created_at)
VALUES (:dag_id, :version, :file, :spec, :source_hash, :now)
ON CONFLICT (dag_id, version) DO UPDATE SET source_hash = excluded.source_hash, file = excluded.file;

-- name: save_source
INSERT INTO source (hash, text) VALUES (:hash, :text) ON CONFLICT (hash) DO NOTHING;

-- name: drop_unused_sources
DELETE FROM source WHERE NOT EXISTS (SELECT 1 FROM dag_version v WHERE v.source_hash = source.hash);

-- name: load_version
SELECT v.spec, v.file, v.created_at, s.text AS source
FROM dag_version v LEFT JOIN source s ON s.hash = v.source_hash
WHERE v.dag_id = :dag_id AND v.version = :version;

-- name: deactivate_missing
-- DAGs of a file that its newest import no longer builds.
UPDATE dag SET active = 0
WHERE file = :file AND active = 1 AND dag_id NOT IN (SELECT value FROM json_each(:dag_ids))
RETURNING dag_id;

-- name: delete_dag
DELETE FROM dag WHERE dag_id = :dag_id;

-- name: save_file
INSERT INTO dag_file (
  file, content_hash, parsed_at, seconds, peak_rss_kb, refresh, reads, variables, connections, unrepeatable, warnings,
  output)
VALUES (
  :file, :content_hash, :parsed_at, :seconds, :peak_rss_kb, :refresh, :reads, :variables, :connections, :unrepeatable,
  :warnings, :output)
ON CONFLICT (file) DO UPDATE SET
  content_hash = excluded.content_hash, parsed_at = excluded.parsed_at, seconds = excluded.seconds,
  peak_rss_kb = excluded.peak_rss_kb, refresh = excluded.refresh, reads = excluded.reads,
  variables = excluded.variables, connections = excluded.connections, unrepeatable = excluded.unrepeatable,
  warnings = excluded.warnings, output = excluded.output;

-- name: load_files
SELECT * FROM dag_file ORDER BY file;

-- name: known_files
-- Every file that something here refers to as being in the folder.
SELECT file FROM dag_file UNION SELECT file FROM import_error UNION SELECT file FROM dag WHERE active = 1 ORDER BY file;

-- name: delete_file
DELETE FROM dag_file WHERE file = :file;

-- name: save_import_error
INSERT INTO import_error (file, line, kind, message, traceback, at)
VALUES (:file, :line, :kind, :message, :traceback, :at)
ON CONFLICT (file) DO UPDATE SET
  line = excluded.line, kind = excluded.kind, message = excluded.message, traceback = excluded.traceback,
  at = excluded.at;

-- name: clear_import_error
DELETE FROM import_error WHERE file = :file;

-- name: list_import_errors
SELECT file, line, kind, message, traceback, at FROM import_error ORDER BY file;
