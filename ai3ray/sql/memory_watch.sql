-- name: used_bytes
-- Memory of queries. DuckDB frees pages of tables when it needs room; the other tags are the journal's.
SELECT coalesce(sum(memory_usage_bytes), 0) FROM duckdb_memory()
WHERE tag NOT IN ('BASE_TABLE', 'METADATA', 'ART_INDEX', 'TRANSACTION', 'EXTERNAL_FILE_CACHE')
