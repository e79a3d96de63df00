-- What people keep for themselves. `who` is for the users to come.

CREATE TABLE favourite (
  who    TEXT NOT NULL DEFAULT '',
  dag_id TEXT NOT NULL,
  PRIMARY KEY (who, dag_id)
) STRICT, WITHOUT ROWID;

-- The filters and the order of a list (its address), under a name.
CREATE TABLE kept_filter (
  who   TEXT NOT NULL DEFAULT '',
  list  TEXT NOT NULL,
  name  TEXT NOT NULL,
  query TEXT NOT NULL,
  PRIMARY KEY (who, list, name)
) STRICT, WITHOUT ROWID;
