-- Ids are sortable by age, and so are the blocks of a table: the range $first to $last spares reading most blocks.

-- name: columns
SELECT column_name, data_type FROM duckdb_columns()
WHERE table_name = $table AND NOT internal ORDER BY column_index

-- name: create_table
CREATE TABLE {table} ({columns})

-- name: insert_rows
INSERT INTO {table} BY NAME FROM source_rows

-- name: all_rows
FROM {table}

-- name: owners_runs
FROM {table} WHERE owner = $owner

-- name: owners_rows
FROM {table} WHERE run_id IN (SELECT run_id FROM runs WHERE owner = $owner)

-- name: rows_of_runs
FROM {table} WHERE run_id BETWEEN $first AND $last AND run_id IN (SELECT unnest($run_ids))

-- name: delete_runs
DELETE FROM {table} WHERE run_id BETWEEN $first AND $last AND run_id IN (SELECT unnest($run_ids))

-- name: owned
SELECT run_id FROM runs
WHERE run_id BETWEEN $first AND $last AND run_id IN (SELECT unnest($run_ids)) AND ($owner IS NULL OR owner = $owner)

-- name: last_events
-- The last event that the copy has of each run.
SELECT wanted.run_id, coalesce(max(events.seq), 0)
FROM (SELECT unnest($run_ids) AS run_id) AS wanted LEFT JOIN events ON events.run_id = wanted.run_id
GROUP BY wanted.run_id

-- name: new_events
FROM events
SEMI JOIN (SELECT unnest($run_ids) AS run_id, unnest($seqs) AS seq) AS known
ON events.run_id = known.run_id AND events.seq > known.seq
WHERE events.run_id BETWEEN $first AND $last
