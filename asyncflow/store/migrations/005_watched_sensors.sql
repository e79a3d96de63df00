-- What a rescheduled sensor waits for that the server watches by itself, so that a restarted one can go on with it.

ALTER TABLE task_instance ADD COLUMN condition TEXT;
