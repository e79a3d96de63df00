-- Backfills: what was asked for, and how far each has come. Its runs name it in dag_run.backfill_id.
CREATE TABLE backfill (
  backfill_id  INTEGER PRIMARY KEY,
  dag_id       TEXT NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
  state        TEXT NOT NULL CHECK (state IN ('running', 'failing', 'cancelling', 'success', 'failed', 'cancelled')),
  options      TEXT NOT NULL,
  dates        TEXT NOT NULL,
  position     INTEGER NOT NULL CHECK (position >= 0),
  created_at   INTEGER NOT NULL,
  ended_at     INTEGER,
  triggered_by TEXT NOT NULL,
  reason       TEXT NOT NULL DEFAULT ''
) STRICT;

-- for active_backfills
CREATE INDEX backfill_active ON backfill (backfill_id) WHERE state IN ('running', 'failing', 'cancelling');

-- What was late: a task that had not succeeded `sla` after the end of its run's data interval, or (task_id '') a run
-- that had not ended at one of its deadlines. One row per matter, so that nobody is told twice.
CREATE TABLE sla_miss (
  run       INTEGER NOT NULL REFERENCES dag_run (id) ON DELETE CASCADE,
  task_id   TEXT NOT NULL,
  deadline  INTEGER NOT NULL,
  missed_at INTEGER NOT NULL,
  PRIMARY KEY (run, task_id, deadline)
) STRICT, WITHOUT ROWID;

-- for list_sla_misses
CREATE INDEX sla_miss_by_time ON sla_miss (missed_at);
