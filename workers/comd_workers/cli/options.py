"""What the commands share: common options, and the examples under their help.

A command prints results on stdout and everything else (progress, errors) on stderr. One that prints
data takes `AsJson`; one that names a run takes `RunName`, which the shell completes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comd_workers.cli.completion import complete_run


def examples(*lines: str) -> str:
    """The epilog of a command: lines to paste. `# words` after two spaces explain one."""
    shown = ("$ " + line.replace("[", r"\[") for line in lines)
    return "\n\n".join(("[bold]Examples[/bold]", *shown))


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
RunName = Annotated[str, typer.Argument(help="The run's name.", autocompletion=complete_run)]
Images = Annotated[
    Path | None, typer.Option("--images", help="Folder that image names count from.")
]
Rehash = Annotated[
    bool, typer.Option("--rehash", help="Read every picture again, though it has not changed.")
]
Link = Annotated[bool, typer.Option("--link", help="Hard-link pictures instead of copying.")]
