-- What `ai3 stats` draws. $since is a time stamp; every figure counts what began at it or later.

-- name: cost
SELECT
    started_at::DATE                                                   AS day,
    model,
    count(*)                                                           AS calls,
    coalesce(sum(cost_usd), 0.0)                                       AS cost_usd,
    bool_and(cost_usd IS NOT NULL OR input_tokens + output_tokens = 0) AS cost_complete
FROM attempts
WHERE started_at >= $since::TIMESTAMP
GROUP BY day, model
ORDER BY day, cost_usd DESC, model

-- name: latency
SELECT
    model,
    count(*)                         AS calls,
    quantile_cont(seconds, 0.5)      AS p50_s,
    quantile_cont(seconds, 0.95)     AS p95_s,
    quantile_cont(first_token_s, 0.5) AS first_token_p50_s
FROM attempts
WHERE status = 'succeeded' AND started_at >= $since::TIMESTAMP
GROUP BY model
ORDER BY p50_s, model

-- name: providers
SELECT
    provider,
    count(*)                                              AS calls,
    count(*) FILTER (status = 'succeeded')                AS succeeded,
    count(*) FILTER (status IN ('failed', 'lost'))        AS failed,
    count(*) FILTER (error_type = 'rate_limited')         AS rate_limited,
    count(*) FILTER (maybe_paid)                          AS maybe_paid,
    count(*) FILTER (status = 'succeeded')
        / nullif(count(*) FILTER (status IN ('succeeded', 'failed', 'lost')), 0) AS success_rate
FROM attempts
WHERE started_at >= $since::TIMESTAMP
GROUP BY provider
ORDER BY provider

-- name: runs
SELECT status, count(*) AS runs, coalesce(sum(cost_usd), 0.0) AS cost_usd
FROM runs
WHERE created_at >= $since::TIMESTAMP
GROUP BY status
ORDER BY runs DESC, status

-- name: kinds
WITH repairs AS (
    SELECT run_id, task_id, count(*) AS repairs
    FROM attempts WHERE role = 'repair' GROUP BY run_id, task_id
)
SELECT
    tasks.kind,
    count(*)                                                     AS tasks,
    count(tasks.verdict)                                         AS verified,
    count(*) FILTER ((tasks.verdict ->> '$.passed')::BOOLEAN)    AS passed,
    coalesce(sum(repairs.repairs), 0)::BIGINT                    AS repairs,
    avg((tasks.verdict ->> '$.score')::DOUBLE)                   AS mean_score
FROM tasks
JOIN runs ON runs.run_id = tasks.run_id
LEFT JOIN repairs ON repairs.run_id = tasks.run_id AND repairs.task_id = tasks.task_id
WHERE runs.created_at >= $since::TIMESTAMP
GROUP BY tasks.kind
ORDER BY tasks DESC, tasks.kind
