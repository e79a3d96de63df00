-- Lists of runs and of task instances in other orders than that of their due times.

-- for browse_duration_longest, browse_duration_shortest
CREATE INDEX task_instance_duration ON task_instance (ended_at - started_at)
  WHERE ended_at IS NOT NULL AND started_at IS NOT NULL;

-- for page_runs_by_start_newest, page_runs_by_start_oldest
CREATE INDEX dag_run_started ON dag_run (started_at);

-- for page_runs_by_duration_longest, page_runs_by_duration_shortest
CREATE INDEX dag_run_duration ON dag_run (ended_at - started_at);

-- for page_runs_by_state_rising, page_runs_by_state_falling. (An expression, so that no other query takes it for the
-- partial indexes of active and of failed runs, which are far smaller.)
CREATE INDEX dag_run_state ON dag_run (state || '', run_after);
