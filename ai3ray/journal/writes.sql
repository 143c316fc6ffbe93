-- name: empty_bodies
UPDATE kept.history SET body = '{}' WHERE run_id IN (SELECT unnest($run_ids))

-- name: delete_rows
DELETE FROM {table} WHERE run_id IN (SELECT unnest($run_ids))

-- name: delete_replaced
DELETE FROM kept.{kind}_rows AS old USING kept.fresh_{kind}s AS new WHERE {same_key}

-- name: insert_latest
INSERT INTO kept.{kind}_rows FROM kept.fresh_{kind}s

-- name: delete_versions
DELETE FROM kept.news

-- name: pieces
SELECT (SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('kept.history')), count(*)
FROM kept.history

-- name: has_event
SELECT count(*) FROM kept.history WHERE run_id = $run_id AND seq = $seq
