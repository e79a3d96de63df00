-- name: page_variables
-- Without an encrypted value being read for those that are not shown.
SELECT name, value, description FROM variable
WHERE :text = '' OR instr(lower(name), lower(:text)) > 0 OR instr(lower(description), lower(:text)) > 0
ORDER BY name LIMIT :limit OFFSET :offset;

-- name: page_variables_falling
SELECT name, value, description FROM variable
WHERE :text = '' OR instr(lower(name), lower(:text)) > 0 OR instr(lower(description), lower(:text)) > 0
ORDER BY name DESC LIMIT :limit OFFSET :offset;

-- name: count_variables
SELECT count(*) FROM variable WHERE :text = '' OR instr(lower(name), lower(:text)) > 0 OR instr(lower(description), lower(:text)) > 0;

-- name: page_connections
SELECT conn_id, conn_type, description, host, port, login, schema,
  coalesce(password, '') <> '' AS has_password, coalesce(extra, '') <> '' AS has_extra
FROM connection
WHERE (:conn_type = '' OR conn_type = :conn_type)
  AND (:text = '' OR instr(lower(conn_id), lower(:text)) > 0 OR instr(lower(coalesce(host, '')), lower(:text)) > 0
    OR instr(lower(description), lower(:text)) > 0 OR instr(lower(coalesce(login, '')), lower(:text)) > 0)
ORDER BY CASE :by WHEN 'type' THEN conn_type WHEN 'host' THEN coalesce(host, '') WHEN 'port' THEN coalesce(port, 0)
  WHEN 'schema' THEN coalesce(schema, '') WHEN 'login' THEN coalesce(login, '') ELSE conn_id END, conn_id LIMIT :limit OFFSET :offset;

-- name: page_connections_falling
SELECT conn_id, conn_type, description, host, port, login, schema,
  coalesce(password, '') <> '' AS has_password, coalesce(extra, '') <> '' AS has_extra
FROM connection
WHERE (:conn_type = '' OR conn_type = :conn_type)
  AND (:text = '' OR instr(lower(conn_id), lower(:text)) > 0 OR instr(lower(coalesce(host, '')), lower(:text)) > 0
    OR instr(lower(description), lower(:text)) > 0 OR instr(lower(coalesce(login, '')), lower(:text)) > 0)
ORDER BY CASE :by WHEN 'type' THEN conn_type WHEN 'host' THEN coalesce(host, '') WHEN 'port' THEN coalesce(port, 0)
  WHEN 'schema' THEN coalesce(schema, '') WHEN 'login' THEN coalesce(login, '') ELSE conn_id END DESC, conn_id DESC LIMIT :limit OFFSET :offset;

-- name: count_connections
SELECT count(*) FROM connection
WHERE (:conn_type = '' OR conn_type = :conn_type)
  AND (:text = '' OR instr(lower(conn_id), lower(:text)) > 0 OR instr(lower(coalesce(host, '')), lower(:text)) > 0
    OR instr(lower(description), lower(:text)) > 0 OR instr(lower(coalesce(login, '')), lower(:text)) > 0);

-- name: connection_types
SELECT DISTINCT conn_type FROM connection ORDER BY conn_type;

-- name: variable_names
SELECT name FROM variable ORDER BY name;
