-- Runs that people look for, among the many that were scheduled and went well.

-- for page_failed_runs
CREATE INDEX dag_run_failed ON dag_run (run_after) WHERE state = 'failed';

-- for page_unscheduled_runs
CREATE INDEX dag_run_unscheduled ON dag_run (run_after) WHERE run_type <> 'scheduled';
