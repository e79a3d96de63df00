-- Task instances over all DAGs, and what people did.

-- for browse_broken
CREATE INDEX task_instance_broken ON task_instance (run) WHERE state IN ('failed', 'upstream_failed');

-- for browse_started_newest, browse_started_oldest
CREATE INDEX task_instance_started ON task_instance (started_at) WHERE started_at IS NOT NULL;

-- One line for each thing that a person did, and for each DAG it was about. `who` is for the users to come.
CREATE TABLE audit (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  at        INTEGER NOT NULL,
  via       TEXT NOT NULL,
  who       TEXT NOT NULL DEFAULT '',
  action    TEXT NOT NULL,
  dag_id    TEXT NOT NULL DEFAULT '',
  run_id    TEXT NOT NULL DEFAULT '',
  task_id   TEXT NOT NULL DEFAULT '',
  map_index INTEGER NOT NULL DEFAULT -1,
  arguments TEXT NOT NULL,
  touched   INTEGER,
  error     TEXT NOT NULL DEFAULT ''
) STRICT;

-- for audit_of_dag
CREATE INDEX audit_by_dag ON audit (dag_id) WHERE dag_id <> '';
