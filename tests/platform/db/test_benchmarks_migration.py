"""Revision 0006 up and down on rows that only it can hold."""

from __future__ import annotations

from sqlalchemy import URL, Engine, text

import comd_migrations
from comd_platform.db.engine import make_engine

_BEFORE = """
INSERT INTO prompt (hash, role, template) VALUES ('p', 'student', '{{ instruction }}');
INSERT INTO model (fingerprint, uri, engine, identity, sampling, prompt_hash)
VALUES ('m', 'm', 'scripted', '{}', '{}', 'p'), ('j', 'j', 'scripted', '{}', '{}', 'p');
INSERT INTO pool (name, origin, config) VALUES ('train', 'import', '{}');
INSERT INTO benchmark (name, kind, metric, fingerprint) VALUES ('b', 'custom', 'exact', 'b');
INSERT INTO evaluation_item (benchmark_id, key, question, answers) VALUES (1, 'k', 'q', '["a"]');
INSERT INTO evaluation (benchmark_id, model_id, subject, finished_at) VALUES (1, 1, 'teacher', now());
INSERT INTO evaluation_score (evaluation_id, item_id, text, score) VALUES (1, 1, 'a', 0.5);
"""

_AFTER = """
INSERT INTO evaluation (benchmark_id, model_id, assessor_id, subject) VALUES (1, 1, 2, 'teacher');
INSERT INTO evaluation_score (evaluation_id, item_id, text) VALUES (2, 1, 'a');
INSERT INTO evaluation_review (evaluation_id, item_id, position, attempt, raw, status)
VALUES (2, 1, 'reference_first', 1, '?', 'unreadable');
INSERT INTO training_run (pool_id, key, base_model_id, objective, config, seed, state)
VALUES (1, 'k', 1, 'sft', '{}', 1, 'done');
INSERT INTO checkpoint (training_run_id, step, path, weights_sha256) VALUES (1, 1, 'c', 'c');
INSERT INTO model (fingerprint, uri, engine, identity, sampling, prompt_hash, checkpoint_id)
VALUES ('f', 'f', 'scripted', '{}', '{}', 'p', 1);
INSERT INTO evaluation (benchmark_id, model_id, subject) VALUES (1, 3, 'fine_tuned');
INSERT INTO evaluation_score (evaluation_id, item_id, text, score) VALUES (3, 1, 'a', 1);
"""


def run(engine: Engine, script: str) -> None:
    with engine.begin() as connection:
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))


def scores(engine: Engine) -> list[tuple[int, int, float]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT evaluation_id, items, score FROM evaluation_summary ORDER BY 1")
        )
        return [tuple(row) for row in rows]


def test_up_and_down_on_data(empty_database: URL) -> None:
    engine = make_engine(empty_database)
    comd_migrations.upgrade(engine, "0005")
    run(engine, _BEFORE)
    assert scores(engine) == [(1, 1, 0.5)]
    comd_migrations.upgrade(engine)
    assert scores(engine) == [(1, 1, 0.5)]
    run(engine, _AFTER)
    comd_migrations.downgrade(engine, "0005")
    assert scores(engine) == [(1, 1, 0.5)]
    comd_migrations.upgrade(engine)
    assert scores(engine) == [(1, 1, 0.5)]
    engine.dispose()
