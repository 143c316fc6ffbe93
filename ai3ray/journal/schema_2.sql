-- Version 2: repeated values are kept once, and a commit only appends, to two tables.
-- The views in `main` are public, the schema `kept` is internal.
CREATE SCHEMA kept;

-- The events. `body` is compressed in blocks of many lines, so what several of a run have in common (a
-- decision's candidates, an answer and its place in the final one) takes no room twice.
-- No primary key: the file's lock makes one writer, which alone counts `seq`; an index would only
-- cost a quarter of the writing speed and memory that grows for ever.
CREATE TABLE kept.history (
    run_id  VARCHAR NOT NULL,
    seq     BIGINT NOT NULL,
    ts      TIMESTAMP NOT NULL,
    type    VARCHAR NOT NULL,
    task_id VARCHAR,
    body    JSON NOT NULL USING COMPRESSION zstd,   -- the envelope's line, verbatim
    beside  VARCHAR                                 -- what SQL asks for most, as JSON: long lines need not be parsed
);

INSERT INTO kept.history
WITH authors AS (
    SELECT run_id, task_id, seq,
           last_value(CASE type WHEN 'task_start' THEN body ->> '$.model' END IGNORE NULLS)
               OVER (PARTITION BY run_id, task_id ORDER BY seq) AS model
    FROM events WHERE type IN ('task_start', 'task_verified')
)
SELECT events.run_id, events.seq, ts, type, events.task_id, body,
    CASE type
        WHEN 'decision' THEN to_json({attempt_id: body ->> '$.attempt_id', model: body ->> '$.model'})
        WHEN 'task_artifact' THEN to_json({artifact: artifacts.artifact, media_type: media_type, bytes: bytes})
        WHEN 'task_verified' THEN json_merge_patch(
            body -> '$.verdict',
            to_json({model: authors.model, kind: kind, defects: json_array_length(body, '$.verdict.defects')})
        )
    END
FROM events
LEFT JOIN authors ON type = 'task_verified' AND authors.run_id = events.run_id AND authors.seq = events.seq
LEFT JOIN tasks ON tasks.run_id = authors.run_id AND tasks.task_id = authors.task_id
LEFT JOIN artifacts ON type = 'task_artifact'
                   AND artifacts.run_id = events.run_id AND artifacts.task_id = events.task_id;

DROP TABLE events;
DROP TABLE decisions;
DROP TABLE artifacts;

CREATE VIEW events AS SELECT run_id, seq, ts, type, task_id, body FROM kept.history;

CREATE VIEW decisions AS
SELECT run_id, task_id, beside ->> '$.attempt_id' AS attempt_id, beside ->> '$.model' AS model,
       body -> '$.candidates' AS candidates
FROM kept.history WHERE type = 'decision';

CREATE VIEW artifacts AS
SELECT beside ->> '$.artifact' AS artifact, run_id, task_id, beside ->> '$.media_type' AS media_type,
       (beside ->> '$.bytes')::BIGINT AS bytes, body ->> '$.text' AS text
FROM kept.history WHERE type = 'task_artifact';

CREATE VIEW verdicts AS
SELECT run_id, task_id, unnest(from_json(beside, '{
    "model": "VARCHAR", "kind": "VARCHAR", "by": "VARCHAR", "passed": "BOOLEAN", "score": "DOUBLE", "defects": "BIGINT"
}'))
FROM kept.history WHERE type = 'task_verified' AND beside IS NOT NULL;

-- A run, a task and a call change several times. Finding and changing a row costs five times what appending
-- costs, so each new version of a row is appended here, as JSON. A checkpoint merges the latest versions into the
-- rows; until then the views show them in the rows' place.
CREATE TABLE kept.news (
    kind   VARCHAR NOT NULL,    -- run, task, attempt or put
    run_id VARCHAR NOT NULL,
    key    VARCHAR NOT NULL,    -- of the task, attempt or put; empty for a run
    body   VARCHAR NOT NULL     -- the row
);

CREATE VIEW kept.latest AS FROM kept.news WHERE rowid IN (SELECT max(rowid) FROM kept.news GROUP BY kind, run_id, key);

CREATE TABLE kept.run_rows AS FROM runs;
CREATE TABLE kept.task_rows AS FROM tasks;
CREATE TABLE kept.attempt_rows AS FROM attempts;
CREATE TABLE kept.put_rows AS FROM puts;     -- the writers' own keys and the events each of them brought

DROP TABLE runs;
DROP TABLE tasks;
DROP TABLE attempts;
DROP TABLE puts;

CREATE VIEW kept.fresh_runs AS
SELECT unnest(from_json(body, '{
    "run_id": "VARCHAR", "status": "VARCHAR", "prompt": "VARCHAR", "owner": "VARCHAR", "class": "VARCHAR",
    "assembly": "VARCHAR", "created_at": "TIMESTAMP", "finished_at": "TIMESTAMP", "seconds": "DOUBLE",
    "cost_usd": "DOUBLE", "input_tokens": "BIGINT", "output_tokens": "BIGINT", "warnings": "JSON",
    "request_key": "VARCHAR", "request_hash": "VARCHAR", "epoch": "BIGINT", "complete": "BOOLEAN"
}')) FROM kept.latest WHERE kind = 'run';

CREATE VIEW kept.fresh_tasks AS
SELECT unnest(from_json(body, '{
    "run_id": "VARCHAR", "task_id": "VARCHAR", "title": "VARCHAR", "kind": "VARCHAR", "status": "VARCHAR",
    "provider": "VARCHAR", "model": "VARCHAR", "attempts": "INTEGER", "depends_on": "JSON", "cost_usd": "DOUBLE",
    "seconds": "DOUBLE", "verdict": "JSON", "artifact": "VARCHAR", "started_at": "TIMESTAMP",
    "finished_at": "TIMESTAMP"
}')) FROM kept.latest WHERE kind = 'task';

CREATE VIEW kept.fresh_attempts AS
SELECT unnest(from_json(body, '{
    "run_id": "VARCHAR", "task_id": "VARCHAR", "attempt_id": "VARCHAR", "role": "VARCHAR", "n": "BIGINT",
    "provider": "VARCHAR", "model": "VARCHAR", "status": "VARCHAR", "error_type": "VARCHAR",
    "request_id": "VARCHAR", "input_tokens": "BIGINT", "cached_tokens": "BIGINT", "output_tokens": "BIGINT",
    "usage_estimated": "BOOLEAN", "cost_usd": "DOUBLE", "started_at": "TIMESTAMP", "first_token_s": "DOUBLE",
    "seconds": "DOUBLE", "maybe_paid": "BOOLEAN"
}')) FROM kept.latest WHERE kind = 'attempt';

CREATE VIEW kept.fresh_puts AS
SELECT unnest(from_json(body, '{
    "run_id": "VARCHAR", "key": "VARCHAR", "first_seq": "BIGINT", "last_seq": "BIGINT"
}')) FROM kept.latest WHERE kind = 'put';

CREATE VIEW runs AS
FROM kept.run_rows ANTI JOIN (SELECT run_id FROM kept.news WHERE kind = 'run') USING (run_id)
UNION ALL FROM kept.fresh_runs;

CREATE VIEW tasks AS
FROM kept.task_rows ANTI JOIN (SELECT run_id, key AS task_id FROM kept.news WHERE kind = 'task') USING (run_id, task_id)
UNION ALL FROM kept.fresh_tasks;

CREATE VIEW attempts AS
FROM kept.attempt_rows
ANTI JOIN (SELECT run_id, key AS attempt_id FROM kept.news WHERE kind = 'attempt') USING (run_id, attempt_id)
UNION ALL FROM kept.fresh_attempts;

CREATE VIEW kept.puts AS FROM kept.put_rows UNION ALL FROM kept.fresh_puts;
