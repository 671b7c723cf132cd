from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import InternalError
from sqlalchemy.orm import Session
from streamlit.testing.v1 import AppTest

from comd_dashboard import data
from comd_platform.reports.runs import list_runs


@pytest.fixture
def connected(open_app: Callable[[URL], AppTest], synthetic: URL) -> None:
    open_app(synthetic)


def _rename(session: Session) -> None:
    session.execute(text("UPDATE run SET name = name || '!'"))


def _sleep(session: Session, seconds: float) -> None:
    session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


def _misspelt(session: Session) -> None:
    session.execute(text("SELECT * FROM runn"))


@pytest.mark.usefixtures("connected")
def test_reading_cannot_write() -> None:
    before = data.read_now(list_runs)
    with pytest.raises(InternalError, match="read-only transaction"):
        data.read_now(_rename)
    assert data.read_now(list_runs) == before


@pytest.mark.usefixtures("connected")
def test_a_slow_report_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "TIMEOUT_SECONDS", 1)
    with pytest.raises(data.ReadError, match="longer than 1 seconds"):
        data.read_now(_sleep, 10)


@pytest.mark.usefixtures("connected")
def test_a_missing_table_is_told_as_an_old_schema() -> None:
    with pytest.raises(data.ReadError) as error:
        data.read_now(_misspelt)
    assert error.value.hint == "Run: comd db upgrade"


@pytest.mark.usefixtures("connected")
def test_kept_reports_are_the_same_as_fresh_ones() -> None:
    assert data.read(list_runs) == data.read_now(list_runs)
