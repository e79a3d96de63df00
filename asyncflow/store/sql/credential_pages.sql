-- part: wanted_variables
:text = '' OR instr(lower(name), lower(:text)) > 0 OR instr(lower(description), lower(:text)) > 0

-- part: shown_connections
conn_id, conn_type, description, host, port, login, schema,
  coalesce(password, '') <> '' AS has_password, coalesce(extra, '') <> '' AS has_extra
FROM connection

-- part: wanted_connections
(:conn_type = '' OR conn_type = :conn_type)
  AND (:text = '' OR instr(lower(conn_id), lower(:text)) > 0 OR instr(lower(coalesce(host, '')), lower(:text)) > 0
    OR instr(lower(description), lower(:text)) > 0 OR instr(lower(coalesce(login, '')), lower(:text)) > 0)

-- part: sort_of_connections
CASE :by WHEN 'type' THEN conn_type WHEN 'host' THEN coalesce(host, '') WHEN 'port' THEN coalesce(port, 0)
  WHEN 'schema' THEN coalesce(schema, '') WHEN 'login' THEN coalesce(login, '') ELSE conn_id END

-- name: page_variables
-- Without an encrypted value being read for those that are not shown.
SELECT name, value, description FROM variable
WHERE {wanted_variables}
ORDER BY name LIMIT :limit OFFSET :offset;

-- name: page_variables_falling
SELECT name, value, description FROM variable
WHERE {wanted_variables}
ORDER BY name DESC LIMIT :limit OFFSET :offset;

-- name: count_variables
SELECT count(*) FROM variable WHERE {wanted_variables};

-- name: page_connections
SELECT {shown_connections}
WHERE {wanted_connections}
ORDER BY {sort_of_connections}, conn_id LIMIT :limit OFFSET :offset;

-- name: page_connections_falling
SELECT {shown_connections}
WHERE {wanted_connections}
ORDER BY {sort_of_connections} DESC, conn_id DESC LIMIT :limit OFFSET :offset;

-- name: count_connections
SELECT count(*) FROM connection
WHERE {wanted_connections};

-- name: connection_types
SELECT DISTINCT conn_type FROM connection ORDER BY conn_type;

-- name: variable_names
SELECT name FROM variable ORDER BY name;
