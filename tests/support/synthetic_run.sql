-- Two runs, small but complete, with made-up scores: "paper" (three iterations, done) and "random",
-- which branched off it after iteration 1 and is in the answer phase of its third.
-- The size comes from the setting comd.instructions (seed instructions); everything else follows,
-- and nothing is random: equal sizes give equal rows. Reports count from the rows; a big one wants its
-- cells: SELECT count_cells(id) FROM iteration WHERE phase = 'done'.

-- In [0, 1), from a number and a purpose.
CREATE FUNCTION pg_temp.noise(subject bigint, purpose text) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashtextextended(purpose || subject, 0) & 1048575) / 1048576.0::double precision
$$;

CREATE FUNCTION pg_temp.hex(content text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT encode(sha256(convert_to(content, 'UTF8')), 'hex') $$;

-- Everybody who speaks. A model evaluates under another sampling than it answers with (ids + 20).
INSERT INTO prompt (hash, role, template)
SELECT pg_temp.hex(role), role, 'As ' || role || ': {{ instruction }}'
FROM unnest(ARRAY['teacher', 'student', 'assessor', 'augmentor']) AS role;

INSERT INTO model (id, fingerprint, uri, engine, identity, sampling, prompt_hash)
SELECT
    id + shift,
    pg_temp.hex(role || id || shift),
    'hf:' || weights,
    'hf',
    jsonb_build_object('engine', 'hf', 'model', weights, 'revision', NULL),
    jsonb_build_object('temperature', 0.5 - shift / 40.0),
    pg_temp.hex(role)
FROM (VALUES
    (1, 'teacher', 'big'), (2, 'assessor', 'big'), (3, 'augmentor', 'big'), (4, 'student', 'small'),
    (11, 'student', 'tuned-1'), (12, 'student', 'tuned-2'), (13, 'student', 'tuned-3'),
    (14, 'student', 'tuned-4'), (15, 'student', 'tuned-5')
) AS known (id, role, weights)
CROSS JOIN (VALUES (0), (20)) AS use (shift);

-- The seed pool.
INSERT INTO pool (id, name, origin) VALUES (1, 'seed', 'import');
INSERT INTO image (id, sha256, path, width, height, format, bytes)
SELECT id, pg_temp.hex('picture ' || id), 'pictures/' || id || '.png', 24, 24, 'PNG', 900
FROM generate_series(1, current_setting('comd.instructions')::bigint / 4 + 1) AS id;
INSERT INTO instruction (pool_id, image_id, task_type, text, key, source_record)
SELECT
    1,
    (n - 1) / 4 + 1,
    CASE WHEN pg_temp.noise(n, 'type') < 0.6 THEN 'knowledge' ELSE 'look' END,
    'Seed question ' || n || ' *about* the picture?',
    pg_temp.hex('seed ' || n),
    'record-' || n
FROM generate_series(1, current_setting('comd.instructions')::bigint) AS n;

INSERT INTO run (id, name, seed, pool_id, config)
SELECT id, name, 7, 1, jsonb_build_object(
    'name', name,
    'pool', 'seed',
    'iterations', 3,
    'method', jsonb_build_object('selection', selection, 'difficulty_threshold', 0.33),
    'teacher', '{"model": {"engine": "hf", "model": "big", "revision": null}}'::jsonb,
    'student', '{"model": {"engine": "hf", "model": "small", "revision": null}}'::jsonb
)
FROM (VALUES (1, 'paper', 'competitive'), (2, 'random', 'random')) AS made (id, name, selection);

-- An iteration that begins `hours` ago: its pool, itself.
CREATE FUNCTION pg_temp.begin_iteration(
    id bigint, run_id bigint, number bigint, parent_id bigint, pool_id bigint, parent_pool_id bigint
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pool (id, parent_id, origin, source_iteration_id)
    SELECT $5, $6, 'augmentation', $4 WHERE $6 IS NOT NULL;
    INSERT INTO iteration (
        id, run_id, number, parent_id, pool_id, config, phase,
        teacher_model_id, assessor_model_id, augmentor_model_id, student_model_id
    )
    SELECT $1, $2, $3, $4, $5, run.config, 'answer', 1, 2, 3, 10 + $1 FROM run WHERE run.id = $2;
$$;

-- Sources are chosen, each gets a reply (one in eight two, the first unreadable), most are accepted.
CREATE FUNCTION pg_temp.grow(pool_id bigint, before_id bigint, selection text) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO selection (pool_id, instruction_id, band, score)
    SELECT $1, instruction_id, CASE WHEN $3 = 'random' THEN 'random' ELSE band END, difficulty
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY band ORDER BY pg_temp.noise(instruction_id, 'pick'))
                AS turn,
            count(*) FILTER (WHERE band = 'difficult') OVER () AS wanted
        FROM (
            SELECT *, CASE WHEN difficulty >= 0.33 THEN 'difficult' ELSE 'easy' END AS band
            FROM assessment WHERE iteration_id = $2 AND difficulty IS NOT NULL
        ) AS banded
    ) AS ranked
    WHERE turn <= wanted;

    INSERT INTO augmentation
        (pool_id, source_instruction_id, augmentor_id, band, attempt, raw, text, status, reason)
    SELECT
        $1, instruction_id, 3, band, attempt,
        CASE WHEN readable THEN '{"question": "…"}' ELSE 'I cannot' END,
        CASE WHEN readable THEN 'New question ' || $1 || ' from ' || instruction_id || '?' END,
        CASE WHEN readable THEN 'generated' ELSE 'rejected' END,
        CASE WHEN readable THEN NULL ELSE 'unreadable' END
    FROM selection
    CROSS JOIN (VALUES (1), (2)) AS reply (attempt)
    CROSS JOIN LATERAL (
        SELECT instruction_id % 8 <> 3 OR (attempt = 2 AND instruction_id % 16 <> 3) AS readable
    ) AS made
    WHERE selection.pool_id = $1 AND (attempt = 1 OR instruction_id % 8 = 3);

    INSERT INTO instruction (pool_id, image_id, parent_id, task_type, text, key)
    SELECT
        $1, source.image_id, source.id, source.task_type, augmentation.text,
        pg_temp.hex(source.key || $1)
    FROM augmentation
    JOIN instruction AS source ON source.id = augmentation.source_instruction_id
    WHERE augmentation.pool_id = $1 AND augmentation.status = 'generated'
        AND pg_temp.noise(source.id, 'new in ' || $1) < 0.8
    ORDER BY source.id;

    UPDATE augmentation SET
        status = CASE WHEN child.id IS NULL THEN 'rejected' ELSE 'accepted' END,
        reason = CASE WHEN child.id IS NULL THEN 'too similar' END,
        rouge_l = pg_temp.noise(source.id, 'rouge') * 0.3 + CASE WHEN child.id IS NULL THEN 0.7 ELSE 0 END,
        nearest_id = source.id,
        child_id = child.id
    FROM instruction AS source
    LEFT JOIN instruction AS child ON child.parent_id = source.id AND child.pool_id = $1
    WHERE augmentation.pool_id = $1 AND augmentation.status = 'generated'
        AND source.id = augmentation.source_instruction_id;
$$;

-- The student is trained on the teacher's answers to the pool.
CREATE FUNCTION pg_temp.tune(iteration_id bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO answer (instruction_id, model_id, text, finish_reason, completion_tokens)
    SELECT instruction.id, 1, 'Truth ' || instruction.id, 'stop', 3
    FROM iteration JOIN instruction ON instruction.pool_id = iteration.pool_id
    WHERE iteration.id = $1
    ON CONFLICT DO NOTHING;

    INSERT INTO training_run
        (id, iteration_id, key, base_model_id, objective, config, seed, state, finished_at)
    SELECT $1, $1, pg_temp.hex('training ' || $1), coalesce(before.student_model_id, 4), 'sft',
        '{"max_steps": 100}', 7, 'done', now()
    FROM iteration LEFT JOIN iteration AS before ON before.id = iteration.parent_id
    WHERE iteration.id = $1;

    INSERT INTO training_example
        (training_run_id, instruction_id, answer_id, dialogue, turn, image_position, reason)
    SELECT
        $1, instruction.id, answer.id, 'picture ' || image_id,
        row_number() OVER (PARTITION BY image_id ORDER BY instruction.id),
        CASE WHEN image_id % 2 = 0 THEN 'before' ELSE 'after' END, 'tuning_pool'
    FROM iteration
    JOIN instruction ON instruction.pool_id = iteration.pool_id
    JOIN answer ON answer.instruction_id = instruction.id AND answer.model_id = 1
    WHERE iteration.id = $1;

    INSERT INTO training_metric (training_run_id, step, loss, learning_rate, grad_norm, tokens, seconds)
    SELECT $1, step, 0.4 + 2.0 / (step + $1) + pg_temp.noise(step, 'loss') / 5,
        0.002 * (1 - step / 101.0), 1 + pg_temp.noise(step, 'norm'), 1600, step * 0.12
    FROM generate_series(1, 100) AS step;

    INSERT INTO checkpoint (id, training_run_id, step, path, weights_sha256)
    VALUES ($1, $1, 100, 'checkpoints/' || $1, pg_temp.hex('weights ' || $1));
    UPDATE model SET checkpoint_id = $1 WHERE model.id IN (10 + $1, 30 + $1);
$$;

-- Student and judge: `known` is the share of instructions that the student answers well by now.
CREATE FUNCTION pg_temp.assess(iteration_id bigint, known double precision) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO answer (instruction_id, model_id, text, finish_reason, completion_tokens)
    SELECT instruction.id, 10 + $1, 'Guess ' || instruction.id, 'stop', 3
    FROM iteration
    JOIN pool_closure ON pool_closure.pool_id = iteration.pool_id
    JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
    WHERE iteration.id = $1;

    INSERT INTO judgement (teacher_answer_id, student_answer_id, assessor_id, position, attempt, raw,
        teacher_score, student_score, status)
    SELECT
        said.teacher_id, said.student_id, 2, sides.position, reply.attempt,
        CASE WHEN reply.readable THEN sides.teacher || ' ' || sides.student ELSE 'Sorry.' END,
        CASE WHEN reply.readable THEN least(sides.teacher, 10) END,
        CASE WHEN reply.readable THEN sides.student END,
        CASE WHEN NOT reply.readable THEN 'unreadable'
            WHEN sides.teacher > 10 THEN 'clamped' ELSE 'read' END
    FROM (
        SELECT
            teacher.instruction_id,
            teacher.id AS teacher_id,
            student.id AS student_id,
            8 + floor(2 * pg_temp.noise(teacher.instruction_id, 'teacher')) AS teacher_score,
            CASE WHEN pg_temp.noise(teacher.instruction_id, 'known') < $2
                THEN 8 ELSE 1 + floor(4 * pg_temp.noise(teacher.instruction_id, 'guess')) END
                AS student_score
        FROM answer AS student
        JOIN answer AS teacher
            ON teacher.instruction_id = student.instruction_id AND teacher.model_id = 1
        WHERE student.model_id = 10 + $1
    ) AS said
    CROSS JOIN LATERAL (VALUES
        ('teacher_first', teacher_score + CASE WHEN instruction_id % 50 = 1 THEN 3 ELSE 0 END,
            student_score),
        ('student_first',
            teacher_score - CASE WHEN pg_temp.noise(instruction_id, 'swap') < 0.2 THEN 2 ELSE 0 END,
            student_score)
    ) AS sides (position, teacher, student)
    CROSS JOIN LATERAL (
        SELECT attempt, attempt = tries AND instruction_id % 37 <> 5
            AND NOT (sides.position = 'student_first' AND instruction_id % 37 = 6) AS readable
        FROM (SELECT CASE WHEN instruction_id % 37 BETWEEN 5 AND 7 THEN 2 ELSE 1 END AS tries) AS t
        CROSS JOIN generate_series(1, tries) AS attempt
    ) AS reply;

    INSERT INTO assessment (iteration_id, instruction_id, teacher_score, student_score, flags)
    SELECT $1, student.instruction_id, avg(teacher_score), avg(student_score),
        array_remove(ARRAY[
            CASE count(teacher_score) WHEN 0 THEN 'unreadable' WHEN 1 THEN 'one_order' END,
            CASE WHEN bool_or(status = 'clamped') THEN 'clamped' END,
            CASE WHEN min(teacher_score - student_score) < 0
                AND max(teacher_score - student_score) > 0 THEN 'flip' END
        ], NULL)
    FROM answer AS student
    JOIN judgement ON judgement.student_answer_id = student.id
    WHERE student.model_id = 10 + $1
    GROUP BY student.instruction_id;

    UPDATE iteration SET phase = 'done', finished_at = now() WHERE iteration.id = $1;
$$;

SELECT pg_temp.begin_iteration(1, 1, 1, NULL, 1, NULL), pg_temp.tune(1), pg_temp.assess(1, 0.4);
SELECT pg_temp.begin_iteration(2, 1, 2, 1, 2, 1), pg_temp.grow(2, 1, 'competitive');
SELECT pg_temp.tune(2), pg_temp.assess(2, 0.6);
SELECT pg_temp.begin_iteration(3, 1, 3, 2, 3, 2), pg_temp.grow(3, 2, 'competitive');
SELECT pg_temp.tune(3), pg_temp.assess(3, 0.75);

UPDATE run SET parent_id = 1, base_iteration_id = 1, created_at = now() + interval '1 s' WHERE id = 2;
SELECT pg_temp.begin_iteration(4, 2, 2, 1, 4, 1), pg_temp.grow(4, 1, 'random');
SELECT pg_temp.tune(4), pg_temp.assess(4, 0.5);
SELECT pg_temp.begin_iteration(5, 2, 3, 4, 5, 4), pg_temp.grow(5, 4, 'random'), pg_temp.tune(5);

-- Held-out items, a tenth of the seed's number or sixty; teacher, untuned student, every checkpoint.
INSERT INTO benchmark (id, name, kind, metric, fingerprint) VALUES
    (1, 'heldout', 'open', 'exact', pg_temp.hex('heldout')),
    (2, 'heldout-choice', 'choice', 'exact', pg_temp.hex('heldout-choice'));
INSERT INTO evaluation_item (benchmark_id, key, question, answers, groups)
SELECT
    benchmark.id, pg_temp.hex(n::text), 'Held-out question ' || n || '?', '["yes"]',
    CASE WHEN benchmark.id = 1 THEN jsonb_build_object(
        'class', CASE WHEN n % 3 = 0 THEN 'look' ELSE 'knowledge' END) ELSE '{}' END
FROM benchmark
CROSS JOIN generate_series(1, greatest(60, current_setting('comd.instructions')::bigint / 10)) AS n;
INSERT INTO evaluation (id, benchmark_id, model_id, subject, iteration_id, finished_at)
SELECT 10 * benchmark.id + row_number() OVER (PARTITION BY benchmark.id ORDER BY model_id),
    benchmark.id, model_id, subject, iteration_id, now()
FROM benchmark
CROSS JOIN (VALUES
    (21, 'teacher', NULL), (24, 'student', NULL), (31, 'student', 1), (32, 'student', 2),
    (33, 'student', 3), (34, 'student', 4)
) AS evaluated (model_id, subject, iteration_id);
INSERT INTO evaluation_score (evaluation_id, item_id, text, score)
SELECT evaluation.id, item.id, 'yes or no',
    (pg_temp.noise(item.id, 'skill') < CASE
        WHEN subject = 'teacher' THEN 0.97 WHEN iteration_id IS NULL THEN 0.12
        ELSE 0.15 + 0.2 * CASE iteration_id WHEN 4 THEN 1.4 ELSE iteration_id END
    END)::int
FROM evaluation JOIN evaluation_item AS item USING (benchmark_id);

-- The ledger: what is done, and the answer phase of iteration 5 half way.
INSERT INTO worker (id, name, host, pid, roles, device, state, started_at, heartbeat_at)
SELECT id, name, host, 100 + id, roles, device, state, now() - interval '2 h', now() - silent
FROM (VALUES
    (1, 'node-a-1', 'node-a', '{teacher,assessor,augmentor}'::text[], 'cuda:0', 'busy', interval '1 s'),
    (2, 'node-a-2', 'node-a', '{student}', 'cuda:1', 'busy', '2 s'),
    (3, 'node-b-1', 'node-b', '{student,trainer}', 'cpu', 'idle', '10 min'),
    (4, 'node-c-1', 'node-c', '{student}', 'cpu', 'stopped', '30 min')
) AS known (id, name, host, roles, device, state, silent);

INSERT INTO iteration_phase (iteration_id, phase, total, note, started_at, finished_at)
SELECT iteration.id, name, CASE WHEN name = 'tune' THEN 0 ELSE size.total END,
    CASE WHEN name = 'tune' THEN '100 steps' END,
    now() - make_interval(mins => (600 - 100 * iteration.id - 10 * turn)::int),
    CASE WHEN iteration.id < 5 OR name <> 'answer'
        THEN now() - make_interval(mins => (592 - 100 * iteration.id - 10 * turn)::int) END
FROM iteration
CROSS JOIN unnest(ARRAY['augment', 'accept', 'label', 'tune', 'answer', 'judge', 'assess'])
    WITH ORDINALITY AS phase (name, turn)
CROSS JOIN LATERAL (
    SELECT count(*) AS total
    FROM pool_closure
    JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
    WHERE pool_closure.pool_id = iteration.pool_id
        AND (name IN ('answer', 'judge', 'assess') OR depth = 0)
) AS size
WHERE (iteration.number > 1 OR name NOT IN ('augment', 'accept'))
    AND (iteration.id < 5 OR turn <= 5);
UPDATE iteration_phase SET started_at = now() - interval '4 min'
WHERE iteration_id = 5 AND phase = 'answer';

INSERT INTO work_item (iteration_id, phase, role, model_id, subject_ids, state, worker_id,
    token, lease_expires_at, started_at, finished_at)
SELECT
    iteration_id, phase, 'student', 10 + iteration_id, subjects, state,
    CASE WHEN state <> 'pending' THEN 2 END,
    CASE WHEN state = 'leased' THEN gen_random_uuid() END,
    CASE WHEN state = 'leased' THEN now() + interval '1 min' END,
    CASE WHEN state <> 'pending' THEN now() - interval '90 s' END,
    CASE WHEN state IN ('done', 'failed', 'split')
        THEN now() - make_interval(secs => (15 * slice + 5)::double precision) END
FROM (
    SELECT iteration_id, phase, slice, array_agg(instruction_id ORDER BY instruction_id) AS subjects,
        CASE WHEN iteration_id < 5 OR slice < 7 THEN 'done' WHEN slice = 7 THEN 'leased'
            WHEN slice = 8 THEN 'failed' WHEN slice = 9 THEN 'split' ELSE 'pending' END AS state
    FROM (
        SELECT iteration.id AS iteration_id, planned.phase, instruction.id AS instruction_id,
            ntile(12) OVER (PARTITION BY iteration.id, planned.phase ORDER BY instruction.id) - 1
                AS slice
        FROM iteration
        CROSS JOIN unnest(ARRAY['answer', 'judge']) AS planned (phase)
        JOIN pool_closure ON pool_closure.pool_id = iteration.pool_id
        JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
        WHERE iteration.id < 5 OR planned.phase = 'answer'
    ) AS sliced
    GROUP BY 1, 2, 3
) AS planned;
-- What was split lives on in a pending half and a finished one.
INSERT INTO work_item (iteration_id, phase, role, model_id, subject_ids, state, finished_at)
SELECT iteration_id, phase, role, model_id,
    CASE half WHEN 0 THEN subject_ids[:middle] ELSE subject_ids[middle + 1:] END,
    CASE half WHEN 0 THEN 'done' ELSE 'pending' END,
    CASE half WHEN 0 THEN now() - interval '3 s' END
FROM work_item
CROSS JOIN generate_series(0, 1) AS half
CROSS JOIN LATERAL (SELECT cardinality(subject_ids) / 2 AS middle) AS cut
WHERE state = 'split';

INSERT INTO failure (iteration_id, phase, instruction_id, reason, detail, attempts, state)
SELECT 5, 'answer', subject, 'engine error', 'a reply with <b>markup</b>', 1,
    CASE WHEN work_item.state = 'failed' THEN 'quarantined' ELSE 'retrying' END
FROM work_item CROSS JOIN unnest(subject_ids) AS subject
WHERE work_item.iteration_id = 5
    AND (work_item.state = 'failed' OR work_item.state = 'pending' AND subject % 10 = 0);
INSERT INTO failure (iteration_id, phase, instruction_id, reason, detail, attempts, state)
VALUES (1, 'label', 1, 'image unreadable', 'truncated file', 3, 'quarantined'),
    (1, 'label', 2, 'image unreadable', 'truncated file', 1, 'resolved');
