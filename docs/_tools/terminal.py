"""Write docs/terminal.md: what a real terminal shows, captured from tmux.

    comd demo && python docs/_tools/terminal.py        # or: make docs-pages

It makes a branch `live` of the run demo-0, watches it for a moment, and stops it.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = Path(__file__).parents[1] / "terminal.md"
SESSION = "comd-capture"
WIDTH, HEIGHT = 110, 100
PROMPT = "$ "
PATIENCE_SECONDS = 600

HEAD = """\
# What the terminal shows

Captured by `docs/_tools/terminal.py` from tmux, {width} columns wide, on the demo's run. In a terminal
there are colours besides; piped, there are none, and a phase is a line.
"""


def tmux(*arguments: str) -> str:
    """One tmux command; what it printed."""
    done = subprocess.run(  # noqa: S603
        ["tmux", *arguments],  # noqa: S607 - the tmux on the PATH
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@contextmanager
def terminal(name: str) -> Iterator[str]:
    """A shell in a terminal of its own, with our `comd` first on the PATH and a plain prompt."""
    session = f"{SESSION}-{name}"
    size = ("-x", str(WIDTH), "-y", str(HEIGHT))
    tmux("new-session", "-d", "-s", session, *size, "bash --norc --noprofile")
    path = shlex.quote(str(Path(sys.executable).parent))
    tmux("send-keys", "-t", session, f"export PS1={PROMPT!r} PATH={path}:$PATH; clear", "Enter")
    try:
        yield session
    finally:
        tmux("kill-session", "-t", session)


def screen(session: str) -> str:
    """What stands on the screen, without the blank rest."""
    lines = tmux("capture-pane", "-p", "-t", session).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()


def shown(session: str, command: str, until: str = PROMPT.strip()) -> str:
    """Type a command; the screen once its last line is `until`, or holds it."""
    tmux("send-keys", "-t", session, "clear", "Enter")
    time.sleep(1)
    tmux("send-keys", "-t", session, command, "Enter")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.5)
        seen = screen(session)
        done = seen.splitlines()[-1:] == [until] if until == PROMPT.strip() else until in seen
        if done and command in seen.splitlines()[0]:
            return seen.removesuffix(PROMPT.strip()).rstrip()
    raise SystemExit(f"{command} did not come to {until!r}:\n{screen(session)}")


def block(title: str, words: str, text: str) -> str:
    return f"## {title}\n\n{words}\n\n```text\n{text}\n```\n"


def main() -> None:
    """Capture all of it."""
    child = (
        "SELECT instruction_id FROM tuning_pool JOIN lineage USING (instruction_id)"
        " WHERE run = 'demo-0' ORDER BY lineage.depth DESC, instruction_id LIMIT 1"
    )
    comd = [sys.executable, "-m", "comd_workers"]
    found = subprocess.check_output([*comd, "sql", "--csv", child], text=True)  # noqa: S603
    instruction = found.splitlines()[-1]
    branch = [*comd, "run", "branch", "demo-0", "--name", "live", "--at", "1"]
    subprocess.check_call([*branch, "--set", "method.difficulty_threshold=0.5"])  # noqa: S603
    parts = [HEAD.format(width=WIDTH)]
    with terminal("main") as session:
        parts.append(block("The commands", "In groups:", shown(session, "comd --help")))
        with terminal("loop") as loop:
            tmux("send-keys", "-t", loop, "comd iterate live -n 1", "Enter")
            watched = shown(session, "comd status live --watch", until="  running  ")
            while not re.search(r"running +[1-9]", watched):
                time.sleep(0.5)
                watched = screen(session)
            tmux("send-keys", "-t", session, "C-c", "")
            parts.append(
                block(
                    "A run as it goes on",
                    "Redrawn every two seconds until the run is finished. `live` is a branch of "
                    "`demo-0` with another threshold, so its first iteration is that of `demo-0`.",
                    watched,
                )
            )
            parts.append(
                block("The loop itself", "In the other terminal, at that moment.", screen(loop))
            )
            tmux("send-keys", "-t", loop, "C-c", "")
            time.sleep(10)
        parts.append(
            block(
                "Why a training example is here",
                "The tree from the seed to the instruction that was asked for, and beyond.",
                shown(session, f"comd lineage {instruction} --run demo-0"),
            )
        )
        parts.append(
            block(
                "An error",
                "What happened, to which record, and what to do next. No traceback: that is "
                "`comd --debug`.",
                shown(session, "comd run create no.yaml; comd status demo-1; comd itterate demo-0"),
            )
        )
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
