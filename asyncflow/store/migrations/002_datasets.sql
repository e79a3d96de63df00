-- Datasets (assets): what was updated when and by whom, who waits for it, which runs came of it.

CREATE TABLE dataset (
  uri     TEXT PRIMARY KEY CHECK (uri <> ''),
  name    TEXT NOT NULL DEFAULT '',  -- the name an asset has beside its URI
  events  INTEGER NOT NULL DEFAULT 0,
  last_at INTEGER
) STRICT, WITHOUT ROWID;

-- for find_dataset: an asset may be asked for by its name
CREATE INDEX dataset_by_name ON dataset (name) WHERE name <> '';

-- Events outlive the runs that made them, so they name them; source_dag_id '' = from outside.
CREATE TABLE dataset_event (
  event_id         INTEGER PRIMARY KEY,
  uri              TEXT NOT NULL REFERENCES dataset (uri),
  at               INTEGER NOT NULL UNIQUE,
  extra            TEXT NOT NULL,
  aliases          TEXT NOT NULL,
  source_dag_id    TEXT NOT NULL,
  source_run_id    TEXT NOT NULL,
  source_task_id   TEXT NOT NULL,
  source_map_index INTEGER NOT NULL,
  span_start       INTEGER NOT NULL,
  span_end         INTEGER NOT NULL
) STRICT;

-- for take_dataset_events, events_of_dataset_newest, events_of_dataset_oldest
CREATE INDEX dataset_event_by_uri ON dataset_event (uri, at);

-- Under which names datasets were updated that were only known when the task ran.
CREATE TABLE dataset_alias (
  alias TEXT NOT NULL,
  uri   TEXT NOT NULL REFERENCES dataset (uri),
  PRIMARY KEY (alias, uri)
) STRICT, WITHOUT ROWID;

-- DAGs that are scheduled by datasets: the events after `since` are for their next runs.
CREATE TABLE dataset_consumer (
  dag_id TEXT PRIMARY KEY REFERENCES dag (dag_id) ON DELETE CASCADE,
  since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The first update of each dataset since the last run of a DAG that waits for it.
CREATE TABLE dataset_queue (
  dag_id TEXT NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
  uri    TEXT NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (dag_id, uri)
) STRICT, WITHOUT ROWID;

-- Which events a run was made for.
CREATE TABLE dataset_event_run (
  run   INTEGER NOT NULL REFERENCES dag_run (id) ON DELETE CASCADE,
  event INTEGER NOT NULL REFERENCES dataset_event (event_id) ON DELETE CASCADE,
  PRIMARY KEY (run, event)
) STRICT, WITHOUT ROWID;

-- for deleting events, and the runs that an event led to
CREATE INDEX dataset_event_run_by_event ON dataset_event_run (event);
