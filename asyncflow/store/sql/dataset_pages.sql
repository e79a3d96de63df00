-- name: page_events
-- Newest first; moments of events are distinct and give their order.
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE e.at < :before AND e.at > :after ORDER BY e.at DESC LIMIT :limit;

-- name: page_events_oldest
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE e.at < :before AND e.at > :after ORDER BY e.at LIMIT :limit;

-- name: page_events_of
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE e.uri = :uri AND e.at < :before AND e.at > :after AND (:dag_id IS NULL OR e.source_dag_id = :dag_id)
ORDER BY e.at DESC LIMIT :limit;

-- name: page_events_of_oldest
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE e.uri = :uri AND e.at < :before AND e.at > :after AND (:dag_id IS NULL OR e.source_dag_id = :dag_id)
ORDER BY e.at LIMIT :limit;

-- name: page_events_from
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE e.source_dag_id = :dag_id AND e.at < :before AND e.at > :after ORDER BY e.at DESC LIMIT :limit;

-- name: page_events_from_oldest
SELECT e.*, d.name FROM dataset_event e JOIN dataset d ON d.uri = e.uri
WHERE e.source_dag_id = :dag_id AND e.at < :before AND e.at > :after ORDER BY e.at LIMIT :limit;

-- name: page_event_runs
-- The runs that some events led to.
SELECT l.event, r.dag_id, r.run_id, r.state
FROM json_each(:events) e CROSS JOIN dataset_event_run l ON l.event = e.value CROSS JOIN dag_run r ON r.id = l.run
ORDER BY r.dag_id, r.run_id;
