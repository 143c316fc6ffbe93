-- name: open_runs
SELECT run_id FROM runs WHERE NOT complete ORDER BY created_at, run_id;

-- name: request_keys
SELECT request_key, run_id, request_hash FROM runs WHERE request_key IS NOT NULL;

-- name: run_meta
SELECT owner, request_key, request_hash, epoch FROM runs WHERE run_id = $run_id;

-- name: run_lines
SELECT body FROM events WHERE run_id = $run_id AND seq > $after ORDER BY seq;

-- name: run_attempts
SELECT run_id, task_id, attempt_id, role, n, provider, model, status, error_type, request_id,
       input_tokens, cached_tokens, output_tokens, usage_estimated, cost_usd, started_at,
       first_token_s, seconds, maybe_paid
FROM attempts WHERE run_id = $run_id ORDER BY started_at, attempt_id;

-- name: run_puts
SELECT key, first_seq, last_seq FROM puts WHERE run_id = $run_id;

-- name: prunable_runs
SELECT run_id,
       (SELECT count(*) FROM events WHERE events.run_id = runs.run_id),
       (SELECT coalesce(sum(strlen(body::VARCHAR)), 0)::BIGINT FROM events WHERE events.run_id = runs.run_id)
       + (SELECT coalesce(sum(bytes), 0)::BIGINT FROM artifacts WHERE artifacts.run_id = runs.run_id)
FROM runs
WHERE complete AND finished_at <= $before
ORDER BY finished_at, run_id;

-- name: run_rows
SELECT run_id, status, prompt, created_at, seconds, cost_usd
FROM runs
WHERE $before IS NULL
   OR (created_at, run_id) < (SELECT (created_at, run_id) FROM runs WHERE run_id = $before)
ORDER BY created_at DESC, run_id DESC
LIMIT $limit;
