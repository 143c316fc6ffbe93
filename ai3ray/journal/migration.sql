-- name: has_version_table
SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_version'

-- name: create_version_table
CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at TIMESTAMP)

-- name: version
SELECT coalesce(max(version), 0) FROM schema_version

-- name: add_version
INSERT INTO schema_version VALUES ($version, now()::TIMESTAMP)

-- name: views_hash
SELECT comment FROM duckdb_views() WHERE view_name = 'model_stats'

-- name: set_views_hash
COMMENT ON VIEW model_stats IS '{hash}'
