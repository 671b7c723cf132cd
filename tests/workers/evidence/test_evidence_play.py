"""A rehearsal of the evidence: real models, few steps, one seed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from recompute import check_run
from sqlalchemy import Engine

from comd_platform.loop.port import Silent
from comd_platform.settings import Settings
from comd_workers.evidence.arms import find_arm
from comd_workers.evidence.collect import collect, write_results
from comd_workers.evidence.page import page
from comd_workers.evidence.play import Evidence
from comd_workers.evidence.results import NATURAL, TAIL, Results


@pytest.mark.full
@pytest.mark.timeout(900)
def test_two_arms_from_the_data_to_the_page(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    evidence = Evidence(
        engine,
        settings,
        split="dev",
        seeds=[901],
        arms=[find_arm("competitive"), find_arm("uncertainty")],
        changes=["iterations=2", "training.max_steps=10", "method.max_new=50"],
    )
    evidence.import_data()
    ended = evidence.play(lambda _: Silent(), threading.Event())
    for arm in evidence.arms:
        assert check_run(engine, evidence.run_name(901, arm)) == 2
    write_results(collect(engine, evidence, ended), tmp_path / "results.json")
    results = Results.read(tmp_path / "results.json")
    assert results.last == 2
    for arm in ("competitive", "uncertainty"):
        assert set(results.by_seed(arm, TAIL)) == set(results.by_seed(arm, NATURAL)) == {901}
        [row] = results.truth(arm)
        assert row["instructions"] == row["readable_questions"] == 3_000
        assert row["auc"] > 0.6  # the student's doubt, and the judge's verdict, mean something
    [judged] = results.truth("competitive")
    assert judged["judged"] == 4 * 3_000
    assert judged["judge_verdict"] > 0.95
    assert "| competitive (CoMD, τ = 0.33) |" in page(results, "# Evidence", "")
