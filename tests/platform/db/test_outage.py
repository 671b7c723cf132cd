from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from comd_platform.db.engine import make_engine, transaction
from comd_platform.db.outage import DatabaseGone, Patience, is_outage


def cut_connections(engine: Engine) -> None:
    """What a restart does to everybody: their connections are gone."""
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_work_is_begun_anew_after_its_connection_was_cut(engine: Engine) -> None:
    with transaction(engine) as session:
        session.execute(text("CREATE TABLE done (step integer)"))
    other = make_engine(engine.url)
    attempts = []

    def work() -> int:
        with transaction(engine) as session:
            session.execute(text("INSERT INTO done VALUES (1)"))
            attempts.append(1)
            if len(attempts) < 3:
                cut_connections(other)
            session.execute(text("INSERT INTO done VALUES (2)"))
        return len(attempts)

    patience = Patience(60)
    assert patience.outlast(work) == 3
    assert patience.mended_within(60)
    assert not patience.mended_within(0)
    with engine.connect() as connection:  # what was cut left nothing behind
        assert connection.execute(text("SELECT array_agg(step) FROM done")).scalar() == [1, 2]
    other.dispose()


def test_a_mistake_in_the_work_is_no_outage(engine: Engine) -> None:
    def wrong() -> None:
        with transaction(engine) as session:
            session.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(ProgrammingError):
        Patience(60).outlast(wrong)


def test_a_statement_timeout_is_no_outage(engine: Engine) -> None:
    """OperationalError as well, but of a server that answers."""
    with engine.connect() as connection:
        connection.execute(text("SET statement_timeout = '1ms'"))
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("SELECT pg_sleep(10)"))
    assert not is_outage(caught.value)


def test_patience_ends_and_can_be_cut_short(engine: Engine) -> None:
    nowhere = make_engine(engine.url.update_query_dict({"host": "/nonexistent"}))
    revived = []
    patience = Patience(0.5, revive=lambda: revived.append(1))
    with pytest.raises(DatabaseGone, match="is away for") as gone:
        patience.outlast(lambda: nowhere.connect())
    assert gone.value.hint is not None
    assert "COMD_DATABASE_PATIENCE" in gone.value.hint
    assert revived
    stop = threading.Event()
    stop.set()
    with pytest.raises(DatabaseGone, match="asked to stop"):
        Patience(3600, stop=stop).outlast(lambda: nowhere.connect())
    nowhere.dispose()
