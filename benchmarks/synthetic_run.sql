-- One finished run of four iterations in the paper's proportions, made up, for measuring reports.
-- The size comes from the setting comd.seeds (220,000 give 0.5 million instructions in all); nothing
-- is random: equal sizes give equal rows. Ids are arithmetic, so that nothing is joined to make them:
-- the teacher's answer to instruction i has the id i, iteration t's student's t * 10^9 + i.
-- A statement ends with a semicolon, an empty line, and something at the first column.

-- In [0, 1), from a number and a purpose.
CREATE FUNCTION pg_temp.noise(subject bigint, purpose bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (hashint8extended(subject, purpose) & 1048575) / 1048576.0::double precision
$$;

CREATE FUNCTION pg_temp.hex(content text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT encode(sha256(content::bytea), 'hex') $$;

-- Words of about the length that models give: between `shortest` and `longest` letters.
CREATE FUNCTION pg_temp.words(subject bigint, purpose bigint, shortest integer, longest integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT substr(
        'the picture shows a wooden table beside an open window, with two cups of coffee, a folded '
        'newspaper and a bowl of ripe oranges; behind it a cat sleeps on a red chair while the light '
        'of the late afternoon falls across the floor and a bicycle leans against the wall outside, '
        'where a woman in a green coat talks to a man who carries a ladder and a bucket of paint',
        1 + (hashint8extended(subject, purpose) & 31)::integer,
        shortest + floor((longest - shortest) * pg_temp.noise(subject, purpose + 1))::integer
    )
$$;

INSERT INTO prompt (hash, role, template)
SELECT pg_temp.hex(role), role, 'As ' || role || ': {{ instruction }}'
FROM unnest(ARRAY['teacher', 'student', 'assessor', 'augmentor']) AS role;

INSERT INTO model (id, fingerprint, uri, engine, identity, sampling, prompt_hash)
SELECT id, pg_temp.hex(role || id), 'hf:' || weights, 'hf',
    jsonb_build_object('engine', 'hf', 'model', weights, 'revision', NULL), '{}', pg_temp.hex(role)
FROM (VALUES
    (1, 'teacher', 'big'), (2, 'assessor', 'big'), (3, 'augmentor', 'big'), (4, 'student', 'small'),
    (11, 'student', 'tuned-1'), (12, 'student', 'tuned-2'), (13, 'student', 'tuned-3'),
    (14, 'student', 'tuned-4')
) AS known (id, role, weights);

INSERT INTO pool (id, name, origin) VALUES (1, 'seed', 'import');

INSERT INTO image (id, sha256, path, width, height, format, bytes)
SELECT id, pg_temp.hex('picture ' || id), 'pictures/' || id || '.jpg', 640, 480, 'JPEG', 90000
FROM generate_series(1, current_setting('comd.seeds')::bigint * 4 / 11 + 1) AS id;

INSERT INTO instruction (id, pool_id, image_id, task_type, text, key, source_record)
SELECT
    n, 1, n * 4 / 11 + 1,
    (ARRAY['conversation', 'complex reasoning', 'detail', 'multiple choice'])
        [1 + floor(pg_temp.noise(n, 1) * pg_temp.noise(n, 2) * 4)::integer],
    'Question ' || n || ': ' || pg_temp.words(n, 3, 20, 90) || '?',
    pg_temp.hex('seed ' || n),
    'record-' || n * 4 / 11
FROM generate_series(1, current_setting('comd.seeds')::bigint) AS n;

INSERT INTO run (id, name, seed, pool_id, config, created_at)
SELECT id, name, 7, 1, jsonb_build_object(
    'name', name,
    'pool', 'seed',
    'iterations', 4,
    'method', '{"selection": "competitive", "difficulty_threshold": 0.33}'::jsonb,
    'teacher', '{"model": {"engine": "hf", "model": "big", "revision": null}}'::jsonb,
    'student', '{"model": {"engine": "hf", "model": "small", "revision": null}}'::jsonb,
    'evaluation', '{"benchmarks": ["scienceqa", "seed-bench"]}'::jsonb
), now() + interval '1 second' * id
FROM (VALUES (1, 'paper'), (2, 'branch')) AS made (id, name);

-- Sources of a pool: what was difficult an iteration before, and as many that were easy. Each gets a
-- reply (one in eight two, the first unreadable); most are accepted.
CREATE FUNCTION pg_temp.grow(pool bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pool (id, parent_id, origin, source_iteration_id)
    VALUES ($1, $1 - 1, 'augmentation', $1 - 1);

    INSERT INTO selection (pool_id, instruction_id, band, score)
    SELECT $1, instruction_id, CASE WHEN difficulty >= 0.33 THEN 'difficult' ELSE 'easy' END,
        difficulty
    FROM assessment
    CROSS JOIN (
        SELECT count(*) FILTER (WHERE difficulty >= 0.33)::double precision
            / count(*) FILTER (WHERE difficulty < 0.33) AS easy
        FROM assessment WHERE iteration_id = $1 - 1
    ) AS share
    WHERE iteration_id = $1 - 1 AND difficulty IS NOT NULL
        AND (difficulty >= 0.33 OR pg_temp.noise(instruction_id, 10 + $1) < share.easy);

    INSERT INTO instruction (id, pool_id, image_id, parent_id, task_type, text, key)
    SELECT
        (SELECT max(id) FROM instruction) + row_number() OVER (ORDER BY source.id),
        $1, source.image_id, source.id, source.task_type,
        'Question ' || $1 || ' from ' || source.id || ': ' || pg_temp.words(source.id, $1, 20, 90),
        pg_temp.hex(source.key || $1)
    FROM selection
    JOIN instruction AS source ON source.id = selection.instruction_id
    WHERE selection.pool_id = $1 AND source.id % 16 <> 3 AND pg_temp.noise(source.id, 20 + $1) < 0.85;

    INSERT INTO augmentation (pool_id, source_instruction_id, augmentor_id, band, attempt, raw, text,
        status, reason, rouge_l, nearest_id, child_id, prompt_tokens, completion_tokens)
    SELECT $1, source.instruction_id, 3, source.band, 1 + (source.instruction_id % 8 = 3)::integer,
        '{"question": "' || coalesce(child.text, pg_temp.words(source.instruction_id, $1, 20, 90)) || '"}',
        coalesce(child.text, 'Question: ' || pg_temp.words(source.instruction_id, $1, 20, 90)),
        CASE WHEN child.id IS NULL THEN 'rejected' ELSE 'accepted' END,
        CASE WHEN child.id IS NULL THEN 'not diverse' END,
        pg_temp.noise(source.instruction_id, 30) * 0.3
            + CASE WHEN child.id IS NULL THEN 0.7 ELSE 0 END,
        source.instruction_id, child.id, 700, 25
    FROM selection AS source
    LEFT JOIN instruction AS child
        ON child.parent_id = source.instruction_id AND child.pool_id = $1
    WHERE source.pool_id = $1 AND source.instruction_id % 16 <> 3;

    INSERT INTO augmentation (pool_id, source_instruction_id, augmentor_id, band, attempt, raw,
        status, reason, prompt_tokens, completion_tokens)
    SELECT $1, instruction_id, 3, band, attempt, 'I cannot see that.', 'rejected', 'unreadable', 700, 6
    FROM selection CROSS JOIN generate_series(1, 2) AS attempt
    WHERE pool_id = $1 AND instruction_id % 8 = 3 AND (attempt = 1 OR instruction_id % 16 = 3);
$$;

-- The teacher labels the pool, the student is trained on it.
CREATE FUNCTION pg_temp.tune(iteration bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO iteration (id, run_id, number, parent_id, pool_id, config, phase, finished_at,
        teacher_model_id, assessor_model_id, augmentor_model_id, student_model_id)
    SELECT $1, 1, $1, nullif($1 - 1, 0), $1, config, 'done', now(), 1, 2, 3, 10 + $1
    FROM run WHERE id = 1;

    INSERT INTO answer (id, instruction_id, model_id, text, finish_reason, prompt_tokens,
        completion_tokens)
    SELECT id, id, 1, pg_temp.words(id, 40, 40, 330), 'stop', 640, 60
    FROM instruction WHERE pool_id = $1;

    INSERT INTO training_run
        (id, iteration_id, key, base_model_id, objective, config, seed, state, finished_at)
    VALUES ($1, $1, pg_temp.hex('training ' || $1), CASE $1 WHEN 1 THEN 4 ELSE 9 + $1 END, 'sft', '{}',
        7, 'done', now());

    INSERT INTO training_example
        (training_run_id, instruction_id, answer_id, dialogue, turn, image_position, reason)
    SELECT $1, id, id, 'picture ' || image_id,
        row_number() OVER (PARTITION BY image_id ORDER BY id),
        CASE WHEN image_id % 2 = 0 THEN 'before' ELSE 'after' END, 'tuning_pool'
    FROM instruction WHERE pool_id = $1;

    INSERT INTO training_metric
        (training_run_id, step, loss, learning_rate, grad_norm, tokens, seconds)
    SELECT $1, step, 0.8 + 2.0 / (step + 1) + pg_temp.noise(step, 50) / 5, 2e-5, 1, 9000, step * 1.2
    FROM generate_series(
        1, (SELECT 1 + count(*) / 40 FROM instruction WHERE pool_id = $1)) AS step;

    INSERT INTO checkpoint (id, training_run_id, step, path, weights_sha256)
    SELECT $1, $1, max(step), 'checkpoints/' || $1, pg_temp.hex('weights ' || $1)
    FROM training_metric WHERE training_run_id = $1;

    UPDATE model SET checkpoint_id = $1 WHERE id = 10 + $1;

    INSERT INTO contamination (iteration_id, instruction_id, benchmark_id, kind, item_id, items,
        rouge_l, verdict)
    SELECT $1, id, 1, 'near_text', 1 + id % 4000, 1, 0.9, 'reported'
    FROM instruction WHERE pool_id = $1 AND id % 200 = 0;

    INSERT INTO failure (iteration_id, phase, instruction_id, reason, detail, attempts, state)
    SELECT $1, 'answer', id, 'engine error', 'out of memory', 3, 'quarantined'
    FROM instruction WHERE pool_id = $1 AND id % 1000 = 7;
$$;

-- What the judge makes of both answers, in both orders: one row an instruction. `hard` is the share
-- that the student answers badly.
CREATE FUNCTION pg_temp.judged(iteration bigint, hard double precision)
RETURNS TABLE (id bigint, pool_id bigint, turn bigint,
    t1 double precision, s1 double precision, t2 double precision, s2 double precision)
LANGUAGE sql STABLE AS $$
    SELECT id, pool_id, id % 37,
        teacher + 0.0::double precision,
        student + 0.0::double precision,
        teacher - (pg_temp.noise(id, 400 + $1) < 0.2)::integer,
        least(10, student + (pg_temp.noise(id, 500 + $1) < 0.2)::integer)
    FROM (
        SELECT id, pool_id, teacher,
            CASE WHEN pg_temp.noise(id, 100 + $1) < $2
                THEN 1 + floor(5 * pg_temp.noise(id, 200 + $1))
                ELSE least(10, teacher - 1 + floor(3 * pg_temp.noise(id, 300 + $1))) END AS student
        FROM (
            SELECT id, pool_id,
                CASE WHEN id % 50 = 1 THEN 10 ELSE 8 + (pg_temp.noise(id, 60) < 0.5)::integer END
                    AS teacher
            FROM instruction WHERE pool_id <= $1
        ) AS said
    ) AS scored
$$;

-- Student and judge. turn 5: neither order can be read; 6: only the first; 7: both at the second try.
CREATE FUNCTION pg_temp.assess(iteration bigint, hard double precision) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO answer (id, instruction_id, model_id, text, finish_reason, prompt_tokens,
        completion_tokens)
    SELECT $1 * 1000000000 + id, id, 10 + $1, pg_temp.words(id, 70 + $1, 30, 300), 'stop', 640, 50
    FROM instruction WHERE pool_id <= $1;

    INSERT INTO judgement (teacher_answer_id, student_answer_id, assessor_id, position, attempt, raw,
        teacher_score, student_score, status, prompt_tokens, completion_tokens)
    SELECT id, $1 * 1000000000 + id, 2,
        CASE shift WHEN 0 THEN 'teacher_first' ELSE 'student_first' END,
        1 + (turn BETWEEN 5 AND 7)::integer,
        CASE WHEN readable THEN '8 9' || chr(10) ELSE '' END || pg_temp.words(id, 80 + shift, 60, 200),
        CASE WHEN readable THEN CASE shift WHEN 0 THEN t1 ELSE t2 END END,
        CASE WHEN readable THEN CASE shift WHEN 0 THEN s1 ELSE s2 END END,
        CASE WHEN NOT readable THEN 'unreadable'
            WHEN shift = 0 AND id % 50 = 1 THEN 'clamped' ELSE 'read' END,
        1100, 40
    FROM (
        SELECT *, turn <> 5 AND (turn <> 6 OR shift = 0) AS readable
        FROM pg_temp.judged($1, $2) CROSS JOIN (VALUES (0), (1)) AS orders (shift)
    ) AS reply;

    INSERT INTO judgement (teacher_answer_id, student_answer_id, assessor_id, position, attempt, raw,
        status, prompt_tokens, completion_tokens)
    SELECT id, $1 * 1000000000 + id, 2, position, 1, 'Both are good.', 'unreadable', 1100, 5
    FROM instruction
    CROSS JOIN (VALUES ('teacher_first'), ('student_first')) AS orders (position)
    WHERE pool_id <= $1 AND id % 37 BETWEEN 5 AND 7;

    INSERT INTO assessment
        (iteration_id, instruction_id, teacher_score, student_score, flags, selection_score)
    SELECT $1, id, teacher, student,
        array_remove(ARRAY[
            CASE turn WHEN 6 THEN 'one_order' END,
            CASE turn WHEN 5 THEN 'unreadable' END,
            CASE WHEN turn <> 5 AND id % 50 = 1 THEN 'clamped' END,
            CASE WHEN turn NOT IN (5, 6) AND (t1 - s1) * (t2 - s2) < 0 THEN 'flip' END
        ], NULL),
        (abs(student - teacher) + 1) / greatest(student, teacher)
    FROM (
        SELECT *,
            CASE turn WHEN 5 THEN NULL WHEN 6 THEN t1 ELSE (t1 + t2) / 2 END AS teacher,
            CASE turn WHEN 5 THEN NULL WHEN 6 THEN s1 ELSE (s1 + s2) / 2 END AS student
        FROM pg_temp.judged($1, $2)
    ) AS said;
$$;

INSERT INTO benchmark (id, name, kind, metric, fingerprint) VALUES
    (1, 'scienceqa', 'custom', 'exact', pg_temp.hex('scienceqa')),
    (2, 'seed-bench', 'custom', 'exact', pg_temp.hex('seed-bench'));

INSERT INTO evaluation_item (id, benchmark_id, key, question, answers, groups)
SELECT n, CASE WHEN n <= 4241 THEN 1 ELSE 2 END, pg_temp.hex('item ' || n),
    'Held-out question ' || n || '?', '["yes"]', jsonb_build_object('subject', 'group ' || n % 9)
FROM generate_series(1, 4241 + 14233) AS n;

-- The shares that the student answers badly give pools of about 220, 84, 90 and 110 parts.
SELECT pg_temp.tune(1), pg_temp.assess(1, 0.24);

ANALYZE assessment, instruction;

SELECT pg_temp.grow(2), pg_temp.tune(2), pg_temp.assess(2, 0.19);

ANALYZE assessment, instruction;

SELECT pg_temp.grow(3), pg_temp.tune(3), pg_temp.assess(3, 0.18);

ANALYZE assessment, instruction;

SELECT pg_temp.grow(4), pg_temp.tune(4), pg_temp.assess(4, 0.16);

UPDATE run SET parent_id = 1, base_iteration_id = 2 WHERE id = 2;

INSERT INTO evaluation (id, benchmark_id, model_id, subject, iteration_id, finished_at)
SELECT 10 * benchmark.id + row_number() OVER (PARTITION BY benchmark.id ORDER BY model_id),
    benchmark.id, model_id, subject, iteration_id, now()
FROM benchmark
CROSS JOIN (VALUES (1, 'teacher', NULL), (4, 'student', NULL), (11, 'student', 1),
    (12, 'student', 2), (13, 'student', 3), (14, 'student', 4)
) AS evaluated (model_id, subject, iteration_id);

INSERT INTO evaluation_score (evaluation_id, item_id, text, score)
SELECT evaluation.id, item.id, 'yes or no',
    (pg_temp.noise(item.id, 90) < 0.4 + 0.1 * coalesce(iteration_id, 0))::integer
FROM evaluation JOIN evaluation_item AS item USING (benchmark_id);

INSERT INTO worker (id, name, host, pid, roles, device, state, heartbeat_at)
SELECT n, 'node-' || n, 'node', n, '{teacher,student,assessor,augmentor}', 'cuda:0', 'busy', now()
FROM generate_series(1, 8) AS n;

INSERT INTO iteration_phase (iteration_id, phase, total, started_at, finished_at)
SELECT iteration.id, name,
    (SELECT count(*) FROM instruction
        WHERE pool_id <= iteration.id AND (pool_id = iteration.id OR turn > 4)),
    now() - interval '10 hours' + interval '1 hour' * turn,
    now() - interval '10 hours' + interval '1 hour' * (turn + 1)
FROM iteration
CROSS JOIN unnest(ARRAY['augment', 'accept', 'label', 'tune', 'answer', 'judge', 'assess'])
    WITH ORDINALITY AS phase (name, turn)
WHERE iteration.number > 1 OR name NOT IN ('augment', 'accept');

INSERT INTO work_item (iteration_id, phase, role, model_id, subject_ids, state, worker_id, claims,
    started_at, finished_at)
SELECT iteration_id, phase, asked.role, asked.model,
    ARRAY(SELECT generate_series(lowest, least(lowest + 31, total))), 'done', 1 + lowest % 8, 1,
    started_at, started_at + interval '1 hour' * lowest / total
FROM iteration_phase
JOIN LATERAL (VALUES ('augment', 'augmentor', 3), ('label', 'teacher', 1),
    ('answer', 'student', 10 + iteration_id), ('judge', 'assessor', 2)
) AS asked (name, role, model) ON asked.name = phase
CROSS JOIN LATERAL generate_series(1, total, 32) AS lowest;

INSERT INTO usage (work_item_id, requests, prompt_tokens, completion_tokens)
SELECT id, cardinality(subject_ids), 700 * cardinality(subject_ids), 50 * cardinality(subject_ids)
FROM work_item;
