-- name: history
SELECT body FROM events WHERE run_id = $run_id AND type LIKE $event_type ORDER BY seq
