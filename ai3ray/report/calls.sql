-- name: create_table
-- The columns of a Parquet export: one model call with its task.
CREATE TABLE calls (
    run_id          VARCHAR NOT NULL,
    task_id         VARCHAR,            -- NULL for planner and assembler, as are the task_… columns
    attempt_id      VARCHAR NOT NULL,
    role            VARCHAR NOT NULL,
    n               BIGINT NOT NULL,
    provider        VARCHAR NOT NULL,
    model           VARCHAR NOT NULL,
    status          VARCHAR NOT NULL,
    error_type      VARCHAR,
    request_id      VARCHAR,
    input_tokens    BIGINT NOT NULL,
    cached_tokens   BIGINT NOT NULL,
    output_tokens   BIGINT NOT NULL,
    usage_estimated BOOLEAN NOT NULL,
    cost_usd        DOUBLE,
    started_at      TIMESTAMP,          -- UTC
    first_token_s   DOUBLE,
    seconds         DOUBLE,
    maybe_paid      BOOLEAN NOT NULL,
    task_title      VARCHAR,
    task_kind       VARCHAR,
    task_status     VARCHAR,
    task_depends_on VARCHAR[],
    task_cost_usd   DOUBLE,
    task_seconds    DOUBLE,
    task_passed     BOOLEAN,
    task_score      DOUBLE,
    task_output     VARCHAR
)

-- name: insert_row
INSERT INTO calls ({columns}) VALUES ({places})
