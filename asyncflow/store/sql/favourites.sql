-- name: list_favourites
SELECT dag_id FROM favourite WHERE who = '' ORDER BY dag_id;

-- name: add_favourite
INSERT INTO favourite (dag_id) VALUES (:dag_id) ON CONFLICT DO NOTHING;

-- name: drop_favourite
DELETE FROM favourite WHERE who = '' AND dag_id = :dag_id;

-- name: list_kept_filters
SELECT list, name, query FROM kept_filter WHERE who = '' ORDER BY list, name;

-- name: keep_filter
INSERT INTO kept_filter (list, name, query) VALUES (:list, :name, :query)
ON CONFLICT (who, list, name) DO UPDATE SET query = excluded.query;

-- name: drop_filter
DELETE FROM kept_filter WHERE who = '' AND list = :list AND name = :name;
