-- What deferred task instances wait for, so that a restarted server can start their triggers again.

ALTER TABLE task_instance ADD COLUMN "trigger" TEXT;
ALTER TABLE task_instance ADD COLUMN trigger_timeout INTEGER;
