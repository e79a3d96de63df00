-- name: note_dataset
INSERT INTO dataset (uri, name, events, last_at) VALUES (:uri, :name, 1, :at)
ON CONFLICT (uri) DO UPDATE SET events = events + 1, last_at = excluded.last_at,
  name = CASE excluded.name WHEN '' THEN name ELSE excluded.name END;

-- name: insert_dataset_event
INSERT INTO dataset_event (
  event_id, uri, at, extra, aliases, source_dag_id, source_run_id, source_task_id, source_map_index, span_start, span_end)
VALUES (
  :event_id, :uri, :at, :extra, :aliases, :source_dag_id, :source_run_id, :source_task_id, :source_map_index, :span_start,
  :span_end);

-- name: note_alias
INSERT INTO dataset_alias (alias, uri) VALUES (:alias, :uri) ON CONFLICT DO NOTHING;

-- name: queue_dataset
INSERT INTO dataset_queue (dag_id, uri, at) VALUES (:dag_id, :uri, :at) ON CONFLICT (dag_id, uri) DO NOTHING;

-- name: save_consumer
INSERT INTO dataset_consumer (dag_id, since) VALUES (:dag_id, :since)
ON CONFLICT (dag_id) DO UPDATE SET since = excluded.since;

-- name: delete_consumer
DELETE FROM dataset_consumer WHERE dag_id = :dag_id;

-- name: trim_dataset_queue
DELETE FROM dataset_queue WHERE dag_id = :dag_id AND uri NOT IN (SELECT value FROM json_each(:queued));

-- name: take_dataset_events
INSERT INTO dataset_event_run (run, event)
SELECT (SELECT id FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id), event_id
FROM dataset_event
WHERE uri IN (SELECT value FROM json_each(:uris)) AND at > :after AND at <= :upto;

-- name: last_dataset_event
SELECT event_id, at FROM dataset_event ORDER BY event_id DESC LIMIT 1;

-- name: dataset_aliases
SELECT alias, uri FROM dataset_alias UNION SELECT name, uri FROM dataset WHERE name <> '' ORDER BY alias, uri;

-- name: dataset_queues
SELECT dag_id, uri, at FROM dataset_queue ORDER BY dag_id, at;

-- name: dataset_consumers
SELECT dag_id, since FROM dataset_consumer;

-- name: dataset_span
-- What the runs that made these events stood for, taken together.
SELECT min(span_start), max(span_end) FROM dataset_event
WHERE uri IN (SELECT value FROM json_each(:uris)) AND at > :after AND (:upto IS NULL OR at <= :upto);

-- name: list_datasets
SELECT uri, name, events, last_at FROM dataset ORDER BY uri;

-- name: find_dataset
-- By URI or, for an asset, its name.
SELECT uri FROM dataset WHERE uri = :uri UNION ALL SELECT uri FROM dataset WHERE name <> '' AND name = :uri LIMIT 1;

-- name: events_oldest
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE :alias IS NULL OR (
  e.uri IN (SELECT uri FROM dataset_alias WHERE alias = :alias) AND :alias IN (SELECT value FROM json_each(e.aliases)))
ORDER BY e.event_id LIMIT :limit OFFSET :offset;

-- name: events_of_dataset_oldest
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE e.uri = :uri ORDER BY e.at LIMIT :limit OFFSET :offset;

-- name: events_newest
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE :alias IS NULL OR (
  e.uri IN (SELECT uri FROM dataset_alias WHERE alias = :alias) AND :alias IN (SELECT value FROM json_each(e.aliases)))
ORDER BY e.event_id DESC LIMIT :limit OFFSET :offset;

-- name: events_of_dataset_newest
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE e.uri = :uri ORDER BY e.at DESC LIMIT :limit OFFSET :offset;

-- name: count_dataset_events
SELECT count(*) FROM dataset_event
WHERE (:uri IS NULL OR uri = :uri) AND (:alias IS NULL OR (
  uri IN (SELECT uri FROM dataset_alias WHERE alias = :alias) AND :alias IN (SELECT value FROM json_each(aliases))));

-- name: events_of_run
SELECT e.*, d.name
FROM dag_run r JOIN dataset_event_run l ON l.run = r.id JOIN dataset_event e ON e.event_id = l.event
  JOIN dataset d ON d.uri = e.uri
WHERE r.dag_id = :dag_id AND r.run_id = :run_id ORDER BY e.at;

-- name: runs_of_event
SELECT r.dag_id, r.run_id FROM dataset_event_run l JOIN dag_run r ON r.id = l.run WHERE l.event = :event_id
ORDER BY r.dag_id, r.run_id;
