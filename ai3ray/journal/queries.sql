-- name: open_runs
SELECT runs.run_id
FROM runs
JOIN kept.history AS history ON history.run_id = runs.run_id AND seq = 1
WHERE NOT complete
ORDER BY history.rowid;

-- name: newest_run
SELECT max(run_id) FROM kept.history;

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
SELECT key, first_seq, last_seq FROM kept.puts WHERE run_id = $run_id;

-- name: prunable_runs
SELECT run_id,
       (SELECT count(*) FROM events WHERE events.run_id = runs.run_id),
       (SELECT coalesce(sum(strlen(body::VARCHAR)), 0)::BIGINT FROM events WHERE events.run_id = runs.run_id)
       + (SELECT coalesce(sum(bytes), 0)::BIGINT FROM artifacts WHERE artifacts.run_id = runs.run_id)
FROM runs
WHERE complete AND finished_at <= $before
ORDER BY finished_at, run_id;

-- name: run_rows
-- Newest first by their place in the history: the wall clock may have been set back between two runs.
WITH begun AS (SELECT run_id, rowid AS place FROM kept.history WHERE seq = 1)
SELECT run_id, status, prompt, created_at, seconds, cost_usd
FROM runs
JOIN begun USING (run_id)
WHERE ($before IS NULL OR place < (SELECT place FROM begun WHERE run_id = $before))
  AND ($owner IS NULL OR owner = $owner)
ORDER BY place DESC
LIMIT $limit;

-- name: stats
WITH mine AS (SELECT * FROM runs WHERE $owner IS NULL OR owner = $owner),
     calls AS (SELECT attempts.* FROM attempts JOIN mine USING (run_id))
SELECT coalesce(sum(mine.cost_usd), 0) AS cost_usd,
       coalesce((SELECT bool_and(cost_usd IS NOT NULL OR input_tokens + output_tokens = 0) FROM calls), true)
           AS cost_complete,
       coalesce(sum(mine.input_tokens), 0)::BIGINT AS input_tokens,
       coalesce(sum(mine.output_tokens), 0)::BIGINT AS output_tokens,
       (SELECT count(*) FROM calls) AS calls,
       (SELECT count(*) FROM tasks JOIN mine USING (run_id)) AS tasks,
       coalesce(sum(mine.seconds), 0) AS seconds,
       0.0 AS critical_path_seconds,
       coalesce((SELECT sum(cost_usd) FROM calls WHERE role = 'judge'), 0) AS judge_cost_usd
FROM mine;

-- name: spent_since
-- What the calls since a moment cost, by owner. One that may have been billed and whose bill is unknown counts
-- with what was reserved for it; one that is open when the journal is read has lost its runner.
WITH calls AS (SELECT * FROM attempts WHERE started_at >= $start),
     unbilled AS (SELECT * FROM calls WHERE cost_usd IS NULL AND (maybe_paid OR status = 'started')),
     reserved AS (
         SELECT unbilled.run_id, unbilled.attempt_id, (history.body ->> '$.reserved_usd')::DOUBLE AS usd
         FROM kept.history AS history
         JOIN unbilled ON unbilled.run_id = history.run_id AND unbilled.attempt_id = history.beside ->> '$.attempt_id'
         WHERE history.type = 'decision' AND history.ts >= $start
     )
SELECT runs.owner, coalesce(sum(coalesce(calls.cost_usd, reserved.usd)), 0.0)
FROM calls
JOIN runs USING (run_id)
LEFT JOIN reserved USING (run_id, attempt_id)
GROUP BY runs.owner;
