"""The embedded server, really started, killed and started again."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from comd_platform.db.embedded import EmbeddedError, EmbeddedPostgres


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="comd-embedded-") as made:
        Path(made).chmod(0o711)  # root's PostgreSQL runs as another user
        yield Path(made)
        EmbeddedPostgres(Path(made)).stop()


def ask(server: EmbeddedPostgres, statement: str) -> object:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def test_it_starts_once_keeps_its_data_and_survives_kill_9(home: Path) -> None:
    server = EmbeddedPostgres(home)
    assert server.status().pid is None
    server.start()
    first = server.status()
    assert first.initialized
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    EmbeddedPostgres(home).start()  # another process would do the same
    assert server.status().pid == first.pid

    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    while server.status().pid is not None:
        pass
    server.start()
    assert server.status().pid not in {None, first.pid}
    assert ask(server, "SELECT answer FROM kept") == 42
    assert server.stop()
    assert not server.stop()


def test_a_pid_that_a_reboot_gave_to_another_program_is_not_the_server(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    server.stop()
    stale = server.data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{server.data}\n")
    if os.geteuid() == 0:
        os.chown(stale, server.data.stat().st_uid, server.data.stat().st_gid)
    assert server.status().pid is None
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_nobody_else_can_reach_it(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    assert stat.S_IMODE(server.status().socket_dir.stat().st_mode) & 0o077 == 0
    assert ask(server, "SHOW listen_addresses") == ""


def test_a_long_path_gets_a_short_private_socket(home: Path) -> None:
    server = EmbeddedPostgres(home / ("long" * 20) / "home")
    server.root.parent.mkdir(parents=True)
    for parent in (server.root.parent, server.root.parent.parent):
        parent.chmod(0o711)
    server.start()
    try:
        assert server.socket_dir != server.data
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) & 0o077 == 0
        assert ask(server, "SELECT 1") == 1
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_root_opens_up_no_closed_directory(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError, match=f"cannot enter {closed}") as error:
        EmbeddedPostgres(closed / "home").start()
    assert error.value.hint is not None
    assert "COMD_HOME" in error.value.hint
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
