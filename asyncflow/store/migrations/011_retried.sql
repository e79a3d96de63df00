-- for browse_retried
CREATE INDEX task_instance_retried ON task_instance (run) WHERE try_number > 1;
