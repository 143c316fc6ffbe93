-- Every model call is one row of `attempts`. `calls` counts all of them, `running` those that have
-- not ended; cancelled calls are neither successes nor failures. Costs are sums over known prices,
-- `cost_complete` is false when a call used tokens at an unknown price.

CREATE OR REPLACE VIEW model_stats AS
SELECT
    provider,
    model,
    count(*)                                                              AS calls,
    count(*) FILTER (status = 'succeeded')                                AS successes,
    count(*) FILTER (status IN ('failed', 'lost'))                        AS failures,
    count(*) FILTER (status = 'started')                                  AS running,
    count(*) FILTER (status = 'succeeded')
        / nullif(count(*) FILTER (status IN ('succeeded', 'failed', 'lost')), 0) AS success_rate,
    quantile_cont(seconds, 0.5) FILTER (status = 'succeeded')             AS p50_s,
    quantile_cont(seconds, 0.95) FILTER (status = 'succeeded')            AS p95_s,
    quantile_cont(first_token_s, 0.5) FILTER (status = 'succeeded')       AS first_token_p50_s,
    sum(input_tokens)::BIGINT                                             AS input_tokens,
    sum(output_tokens)::BIGINT                                            AS output_tokens,
    coalesce(sum(cost_usd), 0.0)                                          AS cost_usd,
    bool_and(cost_usd IS NOT NULL OR input_tokens + output_tokens = 0)    AS cost_complete,
    1000 * sum(cost_usd)
        / nullif(sum(input_tokens + output_tokens) FILTER (cost_usd IS NOT NULL), 0) AS cost_per_1k_tokens,
    count(*) FILTER (role = 'repair')                                     AS repairs
FROM attempts
GROUP BY provider, model
ORDER BY provider, model;

-- The same by kind of work: what the router learns from. Planner and assembler have no task, so no kind.
-- A verdict is about the answer of the task's latest attempt; one that was sent back is worth nothing.
CREATE OR REPLACE VIEW model_kind_stats AS
WITH judged AS (
    SELECT
        model,
        kind,
        count(*)                                                          AS verdicts,
        avg(CASE WHEN passed THEN score ELSE 0.0 END)                     AS mean_reward
    FROM verdicts WHERE passed IS NOT NULL GROUP BY model, kind
)
SELECT
    attempts.provider,
    attempts.model,
    tasks.kind,
    count(*)                                                              AS calls,
    count(*) FILTER (attempts.status = 'succeeded')                       AS successes,
    count(*) FILTER (attempts.status IN ('failed', 'lost'))               AS failures,
    count(*) FILTER (attempts.status = 'succeeded')
        / nullif(count(*) FILTER (attempts.status IN ('succeeded', 'failed', 'lost')), 0) AS success_rate,
    quantile_cont(attempts.seconds, 0.5) FILTER (attempts.status = 'succeeded') AS p50_s,
    coalesce(sum(attempts.cost_usd), 0.0)                                 AS cost_usd,
    count(*) FILTER (attempts.role = 'repair')                            AS repairs,
    coalesce(any_value(judged.verdicts), 0)                               AS verdicts,
    any_value(judged.mean_reward)                                         AS mean_reward
FROM attempts
JOIN tasks ON tasks.run_id = attempts.run_id AND tasks.task_id = attempts.task_id
LEFT JOIN judged ON judged.model = attempts.model AND judged.kind = tasks.kind
WHERE attempts.role IN ('task', 'repair')
GROUP BY attempts.provider, attempts.model, tasks.kind
ORDER BY attempts.provider, attempts.model, tasks.kind;

CREATE OR REPLACE VIEW provider_stats AS
SELECT
    provider,
    count(DISTINCT model)                                                 AS models,
    count(*)                                                              AS calls,
    count(*) FILTER (status = 'succeeded')                                AS successes,
    count(*) FILTER (status IN ('failed', 'lost'))                        AS failures,
    count(*) FILTER (status = 'started')                                  AS running,
    count(*) FILTER (status = 'succeeded')
        / nullif(count(*) FILTER (status IN ('succeeded', 'failed', 'lost')), 0) AS success_rate,
    count(*) FILTER (error_type = 'rate_limited')                         AS rate_limited,
    count(*) FILTER (error_type IN ('overloaded', 'server_fault'))        AS server_faults,
    count(*) FILTER (error_type = 'timeout')                              AS timeouts,
    count(*) FILTER (maybe_paid)                                          AS maybe_paid,
    quantile_cont(seconds, 0.5) FILTER (status = 'succeeded')             AS p50_s,
    quantile_cont(seconds, 0.95) FILTER (status = 'succeeded')            AS p95_s,
    quantile_cont(first_token_s, 0.5) FILTER (status = 'succeeded')       AS first_token_p50_s,
    sum(input_tokens)::BIGINT                                             AS input_tokens,
    sum(output_tokens)::BIGINT                                            AS output_tokens,
    coalesce(sum(cost_usd), 0.0)                                          AS cost_usd,
    bool_and(cost_usd IS NOT NULL OR input_tokens + output_tokens = 0)    AS cost_complete,
    max(started_at)                                                       AS last_call_at
FROM attempts
GROUP BY provider
ORDER BY provider;

CREATE OR REPLACE VIEW run_summary AS
WITH work AS (
    SELECT
        run_id,
        count(*)                                AS tasks,
        count(*) FILTER (status = 'succeeded')  AS succeeded,
        count(*) FILTER (status = 'failed')     AS failed,
        count(*) FILTER (status = 'skipped')    AS skipped
    FROM tasks GROUP BY run_id
), calls AS (
    SELECT
        run_id,
        count(*)                                AS calls,
        count(*) FILTER (role = 'repair')       AS repairs,
        count(*) FILTER (role = 'judge')        AS judgements,
        count(*) FILTER (maybe_paid)            AS maybe_paid,
        count(DISTINCT model)                   AS models,
        bool_and(cost_usd IS NOT NULL OR input_tokens + output_tokens = 0) AS cost_complete
    FROM attempts GROUP BY run_id
)
SELECT
    runs.run_id,
    runs.status,
    runs.prompt,
    runs.owner,
    runs.class,
    runs.assembly,
    runs.created_at,
    runs.finished_at,
    runs.seconds,
    coalesce(work.tasks, 0)             AS tasks,
    coalesce(work.succeeded, 0)         AS tasks_succeeded,
    coalesce(work.failed, 0)            AS tasks_failed,
    coalesce(work.skipped, 0)           AS tasks_skipped,
    coalesce(calls.calls, 0)            AS calls,
    coalesce(calls.repairs, 0)          AS repairs,
    coalesce(calls.judgements, 0)       AS judgements,
    coalesce(calls.maybe_paid, 0)       AS maybe_paid,
    coalesce(calls.models, 0)           AS models,
    runs.input_tokens,
    runs.output_tokens,
    runs.cost_usd,
    coalesce(calls.cost_complete, true) AS cost_complete
FROM runs
LEFT JOIN work ON work.run_id = runs.run_id
LEFT JOIN calls ON calls.run_id = runs.run_id
ORDER BY runs.created_at DESC, runs.run_id DESC;

CREATE OR REPLACE VIEW cost_by_day AS
SELECT
    started_at::DATE                                                      AS day,
    count(DISTINCT run_id)                                                AS runs,
    count(*)                                                              AS calls,
    sum(input_tokens)::BIGINT                                             AS input_tokens,
    sum(output_tokens)::BIGINT                                            AS output_tokens,
    coalesce(sum(cost_usd), 0.0)                                          AS cost_usd,
    bool_and(cost_usd IS NOT NULL OR input_tokens + output_tokens = 0)    AS cost_complete
FROM attempts
GROUP BY day
ORDER BY day;

-- One row per verifier: `rules`, or a judge's model. What judging cost stands beside what it said.
CREATE OR REPLACE VIEW verifier_stats AS
WITH judges AS (
    SELECT
        model                                               AS verifier,
        count(*)                                            AS calls,
        coalesce(sum(cost_usd), 0.0)                        AS cost_usd,
        quantile_cont(seconds, 0.5) FILTER (status = 'succeeded') AS p50_s
    FROM attempts WHERE role = 'judge' GROUP BY model
)
SELECT
    verdicts.by                                 AS verifier,
    count(*)                                    AS checks,
    count(*) FILTER (passed)                    AS passed,
    count(*) FILTER (NOT passed)                AS failed,
    count(*) FILTER (passed) / count(*)         AS pass_rate,
    avg(score)                                  AS mean_score,
    sum(defects)::BIGINT                        AS defects,
    coalesce(any_value(judges.calls), 0)        AS calls,
    coalesce(any_value(judges.cost_usd), 0.0)   AS cost_usd,
    any_value(judges.p50_s)                     AS p50_s
FROM verdicts
LEFT JOIN judges ON judges.verifier = verdicts.by
GROUP BY verdicts.by
ORDER BY verdicts.by;
