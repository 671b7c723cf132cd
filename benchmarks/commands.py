"""How long a command takes to say something, beside the bare interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from common import Once, Row, in_turns, main, timed
from databases import CONFIG, connected, database, make_run, server

from comd_platform.db.engine import libpq_url, transaction

ROUNDS_EACH = 3  # a command is short: so many rounds for each that is asked for
NOTHING = "python -c pass"


def measure(scale: float, rounds: int) -> list[Row]:  # noqa: ARG001 - commands have no size
    comd = str(Path(sys.executable).with_name("comd"))
    commands = {
        NOTHING: [sys.executable, "-c", "pass"],
        "comd --help": [comd, "--help"],
        "comd status": [comd, "status", CONFIG.name],
    }
    with (
        server() as where,
        database(where) as url,
        tempfile.TemporaryDirectory(prefix="comd-bench-") as home,
    ):
        with connected(url) as engine, transaction(engine) as session:
            make_run(session)
        environment = {**os.environ, "COMD_HOME": home, "COMD_DATABASE_URL": libpq_url(url)}
        for command in commands.values():
            _say(command, environment)
        contenders: dict[str, Once] = {
            name: partial(timed, partial(_say, command, environment))
            for name, command in commands.items()
        }
        seconds = in_turns(contenders, rounds * ROUNDS_EACH)
    return [
        Row(
            what=f"`{name}`",
            amount=1,
            unit="",
            ours=name,
            seconds={which: seconds[which] for which in (name, NOTHING)},
            note=note,
        )
        for name, note in (
            ("comd --help", "From the start of the process to its end."),
            ("comd status", "The same, of a run in a database whose server is up."),
        )
    ]


def _say(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(measure)
