"""`comd` as a process, and waiting for what its rows come to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError


def comd(*arguments: str, **extra: str) -> subprocess.Popen[str]:
    """Start `comd ARGUMENTS` with `extra` in its environment; output goes to one pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "comd_workers", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | extra,
    )


def finish(process: subprocess.Popen[str], seconds: float = 240) -> str:
    """Its output, once it has ended well."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        pytest.fail(f"still running after {seconds} s:\n{output}")
    assert process.returncode == 0, output
    return output


def scalar(engine: Engine, statement: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar_one()


def wait_for(engine: Engine, statement: str, seconds: float = 60) -> Any:
    """The first true value of a query. A database that is away is not there yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = scalar(engine, statement)
        except DBAPIError:
            found = None
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"never came true: {statement}")
