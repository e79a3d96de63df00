-- name: count_attention
-- Broken files, callbacks that are due, active runs that are late, backfills under way.
SELECT
    (SELECT count(*) FROM import_error),
    (SELECT count(*) FROM callback WHERE done_at IS NULL),
    (
        SELECT count(DISTINCT m.run) FROM dag_run r CROSS JOIN sla_miss m ON m.run = r.id
        WHERE r.state IN ('queued', 'running')
    ),
    (SELECT count(*) FROM backfill WHERE state IN ('running', 'failing', 'cancelling'));
