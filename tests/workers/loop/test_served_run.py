"""The same run with models in process and with models behind servers: the rows do not tell."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inline_workers import inline_workforce
from recompute import check_run
from sqlalchemy import URL, Engine, text

from comd_platform.config.load import parse_config
from comd_platform.db.engine import transaction
from comd_platform.evaluation.items import import_benchmark
from comd_platform.importers import import_file
from comd_platform.loop.driver import Driver
from comd_platform.runs import create_run
from comd_platform.settings import Settings
from comd_tinyworld import weights_path
from comd_tinyworld.data import balanced_test, seed_set, write_all
from comd_workers.demo.arms import run_document

pytestmark = pytest.mark.full

SERVER = str(Path(__file__).parents[2] / "support" / "vllm_tiny.py")
KEY = "TINY_SERVER_KEY"


@pytest.fixture
def teacher_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The teacher behind an OpenAI-compatible server that somebody else runs: its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("VLLM_STUB", str(tmp_path))
    monkeypatch.setenv(KEY, "open sesame")
    command = [sys.executable, SERVER, "serve", str(weights_path("teacher"))]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env=os.environ | {"VLLM_API_KEY": "open sesame", "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    while not _healthy(port):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.wait()


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def document(name: str, temperature: float, steps: int) -> dict[str, Any]:
    made = run_document(name, seed=1)
    for role in ("teacher", "assessor", "augmentor"):
        made[role]["sampling"]["temperature"] = temperature
    made["method"]["max_new"] = 30
    made["training"]["max_steps"] = steps
    return made


def served(made: dict[str, Any], teacher_url: str) -> dict[str, Any]:
    """The same run: the teacher behind somebody's server, the student behind one of ours."""
    made["teacher"]["model"] = {
        "engine": "openai",
        "model": str(weights_path("teacher")),
        "base_url": teacher_url,
        "api_key_env": KEY,
        "prices": {"input": 1.0, "output": 2.0},
    }
    made["student"]["model"] = {
        "engine": "vllm",
        "model": str(weights_path("student")),
        "command": [sys.executable, SERVER],
        "dtype": "float32",
    }
    return made


def play(
    engine: Engine, url: URL, settings: Settings, made: dict[str, Any], iterations: int
) -> None:
    with transaction(engine) as session:
        create_run(session, parse_config(made))
    with inline_workforce(url, settings) as workforce:
        Driver(engine, workforce, poll_seconds=0.01).run(made["name"], iterations)
    assert check_run(engine, made["name"]) == iterations


def import_world(engine: Engine, settings: Settings, folder: Path, images: int, test: int) -> None:
    write_all(
        folder, seed=seed_set(images, images), test=balanced_test("test-demo", each=test, look=24)
    )
    pictures = folder / "images"
    import_file(engine, settings, path=folder / "seed.json", images=pictures, pool="tinyworld")
    import_benchmark(
        engine, settings, path=folder / "test.jsonl", images=pictures, name="tinyworld-test"
    )


# What a run comes to, without ids and models.
_ROWS = """
SELECT 'answer' AS what, iteration.number, instruction.key, answer.text, answer.finish_reason,
    answer.prompt_tokens + answer.completion_tokens AS tokens, NULL::float8 AS score
FROM iteration
JOIN run ON run.id = iteration.run_id
JOIN answer ON answer.model_id IN (iteration.teacher_model_id, iteration.student_model_id)
JOIN instruction ON instruction.id = answer.instruction_id
WHERE run.name = :run
UNION ALL
SELECT 'assessed', iteration.number, instruction.key, assessment.flags::text,
    assessment.teacher_score::text, assessment.student_score::int, assessment.difficulty
FROM assessment
JOIN instruction ON instruction.id = assessment.instruction_id
JOIN iteration ON iteration.id = assessment.iteration_id
JOIN run ON run.id = iteration.run_id
WHERE run.name = :run
UNION ALL
SELECT 'augmented', iteration.number, source.key, augmentation.raw, augmentation.status,
    augmentation.prompt_tokens + augmentation.completion_tokens, augmentation.rouge_l
FROM augmentation
JOIN instruction AS source ON source.id = augmentation.source_instruction_id
JOIN iteration ON iteration.pool_id = augmentation.pool_id
JOIN run ON run.id = iteration.run_id
WHERE run.name = :run
UNION ALL
SELECT 'evaluated', iteration.number, item.key, evaluation_score.text, NULL, NULL,
    evaluation_score.score
FROM evaluation_score
JOIN evaluation_item AS item ON item.id = evaluation_score.item_id
JOIN evaluation ON evaluation.id = evaluation_score.evaluation_id
JOIN iteration ON iteration.id = evaluation.iteration_id
JOIN run ON run.id = iteration.run_id
WHERE run.name = :run
UNION ALL
SELECT 'trained', iteration.number, checkpoint.weights_sha256, NULL, NULL, checkpoint.step, NULL
FROM checkpoint
JOIN training_run ON training_run.id = checkpoint.training_run_id
JOIN iteration ON iteration.id = training_run.iteration_id
JOIN run ON run.id = iteration.run_id
WHERE run.name = :run
ORDER BY 1, 2, 3, 4, 5
"""


def rows(engine: Engine, run: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(_ROWS), {"run": run})]


def test_at_temperature_0_the_rows_are_the_same(
    engine: Engine, database: URL, settings: Settings, tmp_path: Path, teacher_server: str
) -> None:
    import_world(engine, settings, tmp_path / "world", images=90, test=0)
    play(engine, database, settings, document("in-process", 0.0, 8), 2)
    play(engine, database, settings, served(document("served", 0.0, 8), teacher_server), 2)
    expected = rows(engine, "in-process")
    assert {row[0] for row in expected} == {
        "answer",
        "assessed",
        "augmented",
        "evaluated",
        "trained",
    }
    assert rows(engine, "served") == expected
    with engine.connect() as connection:
        unpriced = "SELECT count(*) FILTER (WHERE cost IS NULL) FROM augmentation"
        by_run = connection.execute(
            text(
                "SELECT run, sum(cost) FROM usage_summary WHERE role <> 'student' GROUP BY 1 ORDER BY 1"
            )
        ).all()
        assert connection.execute(text(unpriced)).scalar_one() > 0
    assert by_run[0] == ("in-process", None)
    assert by_run[1][1] > 0


def test_at_temperature_05_the_keys_are_the_same_and_accuracy_within_its_error(
    engine: Engine, database: URL, settings: Settings, tmp_path: Path, teacher_server: str
) -> None:
    """Servers take seeds of 31 bits, so other words are drawn, of the same distribution."""
    import_world(engine, settings, tmp_path / "world", images=240, test=1)
    play(engine, database, settings, document("in-process", 0.5, 40), 1)
    play(engine, database, settings, served(document("served", 0.5, 40), teacher_server), 1)
    found = [rows(engine, run) for run in ("in-process", "served")]
    keys = [
        {row[:3] for row in each if row[0] in {"answer", "assessed", "evaluated"}} for each in found
    ]
    assert keys[0] == keys[1]
    scores = [[row[6] for row in each if row[0] == "evaluated"] for each in found]
    means = [sum(each) / len(each) for each in scores]
    errors = [
        math.sqrt(mean * (1 - mean) / len(each)) for mean, each in zip(means, scores, strict=True)
    ]
    assert len(scores[0]) > 300
    assert abs(means[0] - means[1]) < 3 * math.hypot(*errors)
