"""SQLite: everything that must outlive the process. `database.Store` is the door; SQL lives in `sql/*.sql`."""
