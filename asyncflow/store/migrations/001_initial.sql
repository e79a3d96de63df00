-- The schema. Times are integer microseconds since 1970-01-01 UTC; JSON is TEXT; booleans are 0 or 1.
-- Columns carry the names of the fields of the structs they hold (core.models, core.commands), so that
-- store/rows.py can map them by name. Task-level tables refer to their run by its number, not by its two names:
-- that keeps a row near 100 bytes.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- ---- DAG files --------------------------------------------------------------------------------------------------

-- One row per file that was loaded at least once and is still there: what its last good import said about it.
CREATE TABLE dag_file (
  file         TEXT PRIMARY KEY,
  content_hash TEXT NOT NULL,
  parsed_at    INTEGER NOT NULL,
  seconds      REAL NOT NULL DEFAULT 0,
  peak_rss_kb  INTEGER NOT NULL DEFAULT 0,
  refresh      INTEGER NOT NULL DEFAULT 0 CHECK (refresh IN (0, 1)),
  reads        TEXT NOT NULL DEFAULT '[]',
  variables    TEXT NOT NULL DEFAULT '[]',
  connections  TEXT NOT NULL DEFAULT '[]',
  unrepeatable TEXT NOT NULL DEFAULT '[]',
  warnings     TEXT NOT NULL DEFAULT '[]',
  output       TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE import_error (
  file      TEXT PRIMARY KEY,
  line      INTEGER,
  kind      TEXT NOT NULL,
  message   TEXT NOT NULL,
  traceback TEXT NOT NULL,
  at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Text of DAG files by content, kept for as long as a version refers to it.
CREATE TABLE source (
  hash TEXT PRIMARY KEY,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE dag (
  dag_id              TEXT PRIMARY KEY,
  file                TEXT NOT NULL,
  version             TEXT NOT NULL,
  active              INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  paused              INTEGER NOT NULL CHECK (paused IN (0, 1)),
  next_logical_date   INTEGER,
  next_interval_start INTEGER,
  next_interval_end   INTEGER,
  next_run_after      INTEGER,
  created_at          INTEGER NOT NULL,
  changed_at          INTEGER NOT NULL,
  FOREIGN KEY (dag_id, version) REFERENCES dag_version (dag_id, version) DEFERRABLE INITIALLY DEFERRED
) STRICT;

-- for dags_of_file, deactivate_missing
CREATE INDEX dag_by_file ON dag (file) WHERE active = 1;

CREATE TABLE dag_version (
  dag_id      TEXT NOT NULL,
  version     TEXT NOT NULL,
  file        TEXT NOT NULL,
  spec        BLOB NOT NULL,
  source_hash TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (dag_id, version),
  FOREIGN KEY (dag_id) REFERENCES dag (dag_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
) STRICT;

-- for drop_unused_sources
CREATE INDEX dag_version_by_source ON dag_version (source_hash);

-- ---- runs ---------------------------------------------------------------------------------------------------------

CREATE TABLE dag_run (
  id                  INTEGER PRIMARY KEY,
  dag_id              TEXT NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
  run_id              TEXT NOT NULL,
  run_type            TEXT NOT NULL CHECK (run_type IN ('scheduled', 'manual', 'backfill', 'dataset_triggered')),
  state               TEXT NOT NULL CHECK (state IN ('queued', 'running', 'success', 'failed')),
  logical_date        INTEGER,
  data_interval_start INTEGER,
  data_interval_end   INTEGER,
  run_after           INTEGER NOT NULL,
  queued_at           INTEGER,
  started_at          INTEGER,
  ended_at            INTEGER,
  conf                TEXT NOT NULL DEFAULT '{}',
  external_trigger    INTEGER NOT NULL DEFAULT 0 CHECK (external_trigger IN (0, 1)),
  version             TEXT NOT NULL DEFAULT '',
  triggered_by        TEXT NOT NULL,
  note                TEXT,
  clear_number        INTEGER NOT NULL DEFAULT 0 CHECK (clear_number >= 0),
  backfill_id         INTEGER,
  -- run_id first: a task asks by its own run_id for what another DAG pushed (xcom_rows_prior)
  UNIQUE (run_id, dag_id),
  -- one run per schedule moment; a run without a logical date (Airflow 3, manual) is exempt, NULLs being distinct
  UNIQUE (dag_id, logical_date),
  CHECK ((ended_at IS NULL) = (state IN ('queued', 'running'))),
  CHECK ((data_interval_start IS NULL) = (data_interval_end IS NULL)),
  CHECK (data_interval_start <= data_interval_end)
) STRICT;

-- for load_active_runs at start
CREATE INDEX dag_run_active ON dag_run (id) WHERE state IN ('queued', 'running');
-- for find_runs_of_dag_*, last_runs
CREATE INDEX dag_run_by_dag ON dag_run (dag_id, run_after);
-- for find_runs_*
CREATE INDEX dag_run_by_time ON dag_run (run_after);
-- for last_automated_run(s)
CREATE INDEX dag_run_automated ON dag_run (dag_id, logical_date) WHERE run_type IN ('scheduled', 'backfill');

-- How many runs of a DAG are in each state, kept by the triggers below: the DAG list must not count a year of runs.
CREATE TABLE run_count (
  dag_id TEXT NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
  state  TEXT NOT NULL,
  n      INTEGER NOT NULL CHECK (n >= 0),
  PRIMARY KEY (dag_id, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER run_count_insert AFTER INSERT ON dag_run BEGIN
  INSERT INTO run_count (dag_id, state, n) VALUES (new.dag_id, new.state, 1)
    ON CONFLICT (dag_id, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER run_count_update AFTER UPDATE OF state ON dag_run WHEN old.state <> new.state BEGIN
  UPDATE run_count SET n = n - 1 WHERE dag_id = old.dag_id AND state = old.state;
  INSERT INTO run_count (dag_id, state, n) VALUES (new.dag_id, new.state, 1)
    ON CONFLICT (dag_id, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER run_count_delete AFTER DELETE ON dag_run BEGIN
  UPDATE run_count SET n = n - 1 WHERE dag_id = old.dag_id AND state = old.state;
END;

-- ---- task instances -----------------------------------------------------------------------------------------------

CREATE TABLE task_instance (
  run                INTEGER NOT NULL REFERENCES dag_run (id) ON DELETE CASCADE,
  task_id            TEXT NOT NULL,
  map_index          INTEGER NOT NULL CHECK (map_index >= -1),
  state              TEXT NOT NULL CHECK (state IN (
    'none', 'scheduled', 'queued', 'running', 'success', 'restarting', 'failed', 'up_for_retry', 'up_for_reschedule',
    'upstream_failed', 'skipped', 'deferred', 'removed')),
  try_number         INTEGER NOT NULL CHECK (try_number >= 0),
  max_tries          INTEGER NOT NULL CHECK (max_tries >= 0),
  token              TEXT,
  scheduled_at       INTEGER,
  queued_at          INTEGER,
  started_at         INTEGER,
  ended_at           INTEGER,
  not_before         INTEGER,
  first_poke_at      INTEGER,
  poke_count         INTEGER NOT NULL,
  pid                INTEGER,
  pid_started        INTEGER,
  host_pid           INTEGER,
  host_pid_started   INTEGER,
  map_length         INTEGER CHECK (map_length >= 0),
  skips              TEXT NOT NULL,
  rendered_map_index TEXT,
  next_method        TEXT,
  next_kwargs        TEXT,
  priority_weight    INTEGER NOT NULL,
  pool               TEXT NOT NULL,
  pool_slots         INTEGER NOT NULL CHECK (pool_slots >= 1),
  operator           TEXT NOT NULL,
  note               TEXT,
  PRIMARY KEY (run, task_id, map_index),
  -- a process may only be up under a name that the next message can be held against
  CHECK (state NOT IN ('queued', 'running') OR token IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_try (
  run         INTEGER NOT NULL REFERENCES dag_run (id) ON DELETE CASCADE,
  task_id     TEXT NOT NULL,
  map_index   INTEGER NOT NULL,
  try_number  INTEGER NOT NULL CHECK (try_number >= 0),
  token       TEXT NOT NULL,
  state       TEXT NOT NULL,
  queued_at   INTEGER,
  started_at  INTEGER,
  ended_at    INTEGER,
  pid         INTEGER,
  exit_code   INTEGER,
  signal      INTEGER,
  reason      TEXT NOT NULL DEFAULT '',
  error       TEXT NOT NULL DEFAULT '',
  cpu_seconds REAL,
  peak_rss_kb INTEGER,
  version     TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (run, task_id, map_index, try_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE rendered (
  run       INTEGER NOT NULL REFERENCES dag_run (id) ON DELETE CASCADE,
  task_id   TEXT NOT NULL,
  map_index INTEGER NOT NULL,
  fields    TEXT NOT NULL,
  PRIMARY KEY (run, task_id, map_index)
) STRICT, WITHOUT ROWID;

-- A value is here, or, when it is long, in the file `spill` of the xcom directory. `id` grows with every push: it is the
-- order of pushes, also within one microsecond.
CREATE TABLE xcom (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  run       INTEGER NOT NULL REFERENCES dag_run (id) ON DELETE CASCADE,
  task_id   TEXT NOT NULL,
  map_index INTEGER NOT NULL,
  key       TEXT NOT NULL,
  value     TEXT,
  spill     TEXT UNIQUE,
  at        INTEGER NOT NULL,
  UNIQUE (run, task_id, map_index, key),
  CHECK ((value IS NULL) <> (spill IS NULL))
) STRICT;

-- ---- what happened ------------------------------------------------------------------------------------------------

-- AUTOINCREMENT: a number is never given twice, so a reader that asks "after seq n" misses nothing and sees nothing twice.
CREATE TABLE journal (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  event      TEXT NOT NULL,
  dag_id     TEXT NOT NULL,
  run_id     TEXT NOT NULL,
  task_id    TEXT NOT NULL,
  map_index  INTEGER NOT NULL,
  try_number INTEGER NOT NULL,
  before     TEXT NOT NULL,
  after      TEXT NOT NULL,
  actor      TEXT NOT NULL,
  details    TEXT
) STRICT;

-- for list_journal_of_dag, list_journal_of_run
CREATE INDEX journal_by_run ON journal (dag_id, run_id) WHERE dag_id <> '';

-- Callbacks that are due, until the host that ran them said so (at least once, with a stable id).
CREATE TABLE callback (
  callback_id TEXT PRIMARY KEY,
  payload     TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  tries       INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  done_at     INTEGER,
  error       TEXT
) STRICT;

-- for list_pending_callbacks
CREATE INDEX callback_pending ON callback (created_at) WHERE done_at IS NULL;

-- ---- what people set up ---------------------------------------------------------------------------------------------

CREATE TABLE pool (
  name             TEXT PRIMARY KEY CHECK (name <> ''),
  slots            INTEGER NOT NULL CHECK (slots >= -1),
  description      TEXT NOT NULL DEFAULT '',
  include_deferred INTEGER NOT NULL DEFAULT 0 CHECK (include_deferred IN (0, 1))
) STRICT, WITHOUT ROWID;

-- `value`, `password` and `extra` are Fernet tokens (store/secrets.py).
CREATE TABLE variable (
  name        TEXT PRIMARY KEY CHECK (name <> ''),
  value       TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE connection (
  conn_id     TEXT PRIMARY KEY CHECK (conn_id <> ''),
  conn_type   TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  host        TEXT,
  port        INTEGER CHECK (port BETWEEN 0 AND 65535),
  login       TEXT,
  password    TEXT,
  schema      TEXT,
  extra       TEXT
) STRICT, WITHOUT ROWID;
