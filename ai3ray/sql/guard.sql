-- name: parts
-- What a SELECT consists of, as lists: table functions, functions and tables.
SELECT tree ->> '$.error_message',
       tree ->> '$..function.function_name',
       tree ->> '$..function_name',
       tree ->> '$..table_name'
FROM (SELECT json_serialize_sql($query) AS tree)

-- name: internal_views
SELECT view_name FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'
