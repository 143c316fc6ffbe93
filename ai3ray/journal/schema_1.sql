-- Version 1. Scalars and JSON only; every TIMESTAMP is UTC.

CREATE TABLE runs (
    run_id        VARCHAR PRIMARY KEY,
    status        VARCHAR NOT NULL,
    prompt        VARCHAR NOT NULL,
    owner         VARCHAR NOT NULL,
    class         VARCHAR NOT NULL,
    assembly      VARCHAR,
    created_at    TIMESTAMP NOT NULL,
    finished_at   TIMESTAMP,
    seconds       DOUBLE,
    cost_usd      DOUBLE NOT NULL,      -- known costs of all model calls
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    warnings      JSON NOT NULL,
    request_key   VARCHAR,              -- the caller's Idempotency-Key
    request_hash  VARCHAR,              -- of the body that came with it
    epoch         BIGINT NOT NULL,      -- of the owner that drives the run
    complete      BOOLEAN NOT NULL      -- `stats`, the last event, is in
);

CREATE TABLE tasks (
    run_id      VARCHAR,
    task_id     VARCHAR,
    title       VARCHAR NOT NULL,
    kind        VARCHAR NOT NULL,
    status      VARCHAR NOT NULL,
    provider    VARCHAR,
    model       VARCHAR,
    attempts    INTEGER NOT NULL,
    depends_on  JSON NOT NULL,
    cost_usd    DOUBLE,                 -- all its calls; NULL when a price is unknown
    seconds     DOUBLE,
    verdict     JSON,
    artifact    VARCHAR,
    started_at  TIMESTAMP,
    finished_at TIMESTAMP,
    PRIMARY KEY (run_id, task_id)
);

CREATE TABLE attempts (
    run_id          VARCHAR,
    task_id         VARCHAR,
    attempt_id      VARCHAR,
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
    started_at      TIMESTAMP,
    first_token_s   DOUBLE,
    seconds         DOUBLE,
    maybe_paid      BOOLEAN NOT NULL,
    PRIMARY KEY (run_id, attempt_id)
);

CREATE TABLE decisions (
    run_id     VARCHAR NOT NULL,
    task_id    VARCHAR,
    attempt_id VARCHAR NOT NULL,
    model      VARCHAR NOT NULL,
    candidates JSON NOT NULL
);

-- No primary key: the file's lock makes one writer, which alone counts `seq`; an index would only
-- cost a quarter of the writing speed and memory that grows for ever.
CREATE TABLE events (
    run_id  VARCHAR NOT NULL,
    seq     BIGINT NOT NULL,
    ts      TIMESTAMP NOT NULL,
    type    VARCHAR NOT NULL,
    task_id VARCHAR,
    body    JSON NOT NULL               -- the envelope's line, verbatim
);

CREATE TABLE artifacts (
    artifact   VARCHAR,                 -- sha256:<hex of the text>
    run_id     VARCHAR,
    task_id    VARCHAR,
    media_type VARCHAR NOT NULL,
    bytes      BIGINT NOT NULL,
    text       VARCHAR NOT NULL,
    PRIMARY KEY (artifact, run_id, task_id)
);

-- The writers' own keys and the events each of them brought: empty ranges have last = first - 1.
CREATE TABLE puts (
    run_id    VARCHAR NOT NULL,
    key       VARCHAR NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq  BIGINT NOT NULL
);
