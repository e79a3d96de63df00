-- name: list_pools
SELECT name, slots, description, include_deferred FROM pool ORDER BY name;

-- name: put_pool
INSERT INTO pool (name, slots, description, include_deferred)
VALUES (:name, :slots, :description, :include_deferred)
ON CONFLICT (name) DO UPDATE SET
  slots = excluded.slots, description = excluded.description, include_deferred = excluded.include_deferred;

-- name: delete_pool
DELETE FROM pool WHERE name = :name;

-- name: list_variables
SELECT name, value, description FROM variable ORDER BY name;

-- name: get_variable
SELECT name, value, description FROM variable WHERE name = :name;

-- name: set_variable
-- A description that is not given stays.
INSERT INTO variable (name, value, description) VALUES (:name, :value, coalesce(:description, ''))
ON CONFLICT (name) DO UPDATE SET value = excluded.value, description = coalesce(:description, description);

-- name: delete_variable
DELETE FROM variable WHERE name = :name;

-- name: list_connections
SELECT * FROM connection ORDER BY conn_id;

-- name: get_connection
SELECT * FROM connection WHERE conn_id = :conn_id;

-- name: set_connection
INSERT INTO connection (conn_id, conn_type, description, host, port, login, password, schema, extra)
VALUES (:conn_id, :conn_type, :description, :host, :port, :login, :password, :schema, :extra)
ON CONFLICT (conn_id) DO UPDATE SET
  conn_type = excluded.conn_type, description = excluded.description, host = excluded.host, port = excluded.port,
  login = excluded.login, password = excluded.password, schema = excluded.schema, extra = excluded.extra;

-- name: delete_connection
DELETE FROM connection WHERE conn_id = :conn_id;
