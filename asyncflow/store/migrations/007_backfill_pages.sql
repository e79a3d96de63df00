-- Backfills can be paused; their runs are counted and listed on pages.
ALTER TABLE backfill ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));

-- for page_backfills_of_dag
CREATE INDEX backfill_by_dag ON backfill (dag_id, backfill_id);

-- for page_backfill_runs
CREATE INDEX dag_run_by_backfill ON dag_run (backfill_id, state) WHERE backfill_id IS NOT NULL;

-- for page_events_from
CREATE INDEX dataset_event_by_source ON dataset_event (source_dag_id, at);
