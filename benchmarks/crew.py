"""Real worker processes and a real driver, as a user would start them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, text

from comd_platform.db.engine import libpq_url, transaction
from comd_platform.ledger import alive_workers
from comd_platform.settings import Settings

_COMD = (sys.executable, "-m", "comd_workers")


def environment(settings: Settings, url: URL) -> dict[str, str]:
    """What a `comd` process on this home and database is started with."""
    return {
        **os.environ,
        "COMD_HOME": str(settings.home),
        "COMD_IMAGES": str(settings.image_root),
        "COMD_DATABASE_URL": libpq_url(url),
    }


@contextmanager
def workers(
    engine: Engine, variables: dict[str, str], roles: Sequence[str], count: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """`count` workers for `roles`, up and listening."""
    command = [*_COMD, "worker", "--roles", ",".join(roles)]
    running = [
        subprocess.Popen(
            command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(count)
    ]
    try:
        _wait_until_up(engine, running, roles[0])
        yield running
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def drive(run: str, variables: dict[str, str]) -> float:
    """`comd iterate` for one iteration; the peak memory of its process, in megabytes."""
    command = [*_COMD, "iterate", run, "-n", "1", "--workers", "0"]
    peak = 0.0
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as driver:
        while driver.poll() is None:
            peak = max(peak, peak_megabytes(driver.pid))
            time.sleep(0.2)
        assert driver.stderr is not None
        said = driver.stderr.read()
    assert driver.returncode == 0, said
    return peak


def peak_megabytes(pid: int) -> float:
    """The most memory that a living process has held (Linux; 0 elsewhere, or once it is gone)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) * 1024 / 1e6 if lines else 0.0


def check_durable(engine: Engine) -> None:
    """That a commit is on the disk before anybody hears of it."""
    with transaction(engine) as session:
        settings = session.execute(
            text("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        ).one()
    assert tuple(settings) == ("on", "on"), f"commits are not durable: {settings}"


def _wait_until_up(engine: Engine, running: Sequence[subprocess.Popen[bytes]], role: str) -> None:
    while True:
        assert all(process.poll() is None for process in running), "a worker ended"
        with transaction(engine) as session:
            if len(alive_workers(session, role)) == len(running):
                break
        time.sleep(0.1)
    time.sleep(1.0)  # registered, they still connect to the broker
