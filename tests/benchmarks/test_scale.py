"""The plan's arithmetic by hand, and a rate that is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import scale

RESULTS = {
    "command": "make bench",
    "date": "2026-01-01",
    "machine": {"cores": 2, "cpu": "a processor"},
    "rows": [
        {"what": what, "amount": amount, "ours": "comd", "seconds": {"comd": [2.0, 1.0, 1.0]}}
        for what, amount in {
            "Labelling through the openai engine, 1 worker": 300,
            "Assessment: student answer, two judgements, scores, difficulty": 5_000,
            "Ledger, claim and complete one by one, 4 claimers": 500,
            "Import of a LLaVA file, text only": 1,
            "Import of a LLaVA file, 10,000 pictures already stored": 10_000,
        }.items()
    ],
}


def test_rates_are_medians_of_comds_own_time() -> None:
    assert scale.rates(RESULTS) == {
        "labelling": 300,
        "assessment": 5_000,
        "ledger": 500,
        "import": 10_000,
    }


def test_the_arithmetic_is_right() -> None:
    told = scale.plan(scale.rates(RESULTS), middle=10)
    assert told["answer"] == pytest.approx(50 * 1422 / 504)
    assert told["judge"] == pytest.approx(2 * told["answer"])
    assert told["workers"] == 4  # 1,000 requests a second at 300 each
    assert told["assessment_machines"] == pytest.approx(1_000 / 20_000)
    assert told["ledger_share"] == pytest.approx(100 * 1_000 / 256 / 500)
    assert told["images"] == pytest.approx(150.0)
    assert told["table"].count("\n") == len(scale.PER_GPU) - 1


def test_the_page_is_written_with_every_number_filled_in(tmp_path: Path) -> None:
    scale.write_page(RESULTS, tmp_path / "scale.md")
    page = (tmp_path / "scale.md").read_text()
    assert "{" not in page
    assert "worker processes: 4 |" in page


def test_a_missing_rate_is_named() -> None:
    with pytest.raises(LookupError, match="Ledger"):
        scale.rates(
            {"rows": [row for row in RESULTS["rows"] if not row["what"].startswith("Ledger")]}  # type: ignore[index]
        )
