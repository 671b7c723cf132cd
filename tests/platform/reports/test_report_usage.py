"""Tokens and cost of a run, against a sum by hand."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.reports.usage import UsageRow, run_usage


@pytest.fixture
def asked(session: Session) -> Session:
    """Two work items in each of two phases of the iterations 1 and 2 of the run `paper`; item n of
    an iteration asked n requests at 100 tokens, 10 of them cached, and 5 of answer each."""
    session.execute(
        text(
            "WITH item AS ("
            " INSERT INTO work_item (iteration_id, phase, role, model_id, subject_ids, state)"
            " SELECT iteration, phase, role, model, ARRAY[n], 'done'"
            " FROM (VALUES (1), (2)) AS i (iteration), (VALUES (1), (2)) AS k (n),"
            " (VALUES ('judge', 'assessor', 2), ('label', 'teacher', 1)) AS p (phase, role, model)"
            " RETURNING id, role, subject_ids[1] AS n)"
            " INSERT INTO usage (work_item_id, requests, prompt_tokens, cached_tokens,"
            " completion_tokens, cost)"
            " SELECT id, n, 100 * n, 10 * n, 5 * n, CASE WHEN role = 'teacher' THEN n / 4.0 END"
            " FROM item"
        )
    )
    return session


def row(iteration: int, phase: str, role: str, cost: float | None, *, shared: bool) -> UsageRow:
    return UsageRow(iteration, shared, phase, role, "hf:big", 3, 300, 30, 15, cost)


def test_each_phase_adds_up_what_its_items_asked(asked: Session) -> None:
    assert run_usage(asked, 1) == [
        row(1, "label", "teacher", 0.75, shared=False),
        row(1, "judge", "assessor", None, shared=False),
        row(2, "label", "teacher", 0.75, shared=False),
        row(2, "judge", "assessor", None, shared=False),
    ]


def test_a_branch_sees_what_it_shares_and_that_it_is_shared(asked: Session) -> None:
    assert run_usage(asked, 2) == [
        row(1, "label", "teacher", 0.75, shared=True),
        row(1, "judge", "assessor", None, shared=True),
    ]
    assert run_usage(asked, 99) == []
