-- name: model_stats
-- `share` is each model's part of the latest 200 calls.
SELECT model, calls, success_rate, p50_s, p95_s, cost_usd, cost_per_1k_tokens,
       coalesce(latest.count, 0) / nullif(sum(latest.count) OVER (), 0) AS share
FROM model_stats
LEFT JOIN (
    SELECT model, count(*) AS count FROM (SELECT model FROM attempts ORDER BY started_at DESC LIMIT 200) GROUP BY model
) AS latest USING (model)
