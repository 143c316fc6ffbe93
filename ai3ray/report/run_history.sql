-- name: events
SELECT seq, body FROM events WHERE run_id = $run_id AND seq > $after ORDER BY seq LIMIT $limit

-- name: attempts
SELECT {columns} FROM attempts WHERE run_id = $run_id ORDER BY started_at, attempt_id
