"""`comd doctor` and `comd config check`: what will and will not work, before it is tried."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.options import AsJson
from comd_workers.cli.output import console_for_people, print_json

if TYPE_CHECKING:
    from comd_workers.checks.finding import Finding

_MARKS = {"ok": "[green]ok[/]   ", "note": "[yellow]note[/] ", "error": "[red]error[/]"}


def check(
    configs: Annotated[list[Path], typer.Argument(help="Run configs or stage 1 configs.")],
    as_json: AsJson = False,
) -> None:
    """Check configs: everything that can be resolved without a GPU. Exit status 1 at an error."""
    from comd_workers.checks.configs import check_config
    from comd_workers.checks.finding import failed

    found = {str(path): check_config(path) for path in configs}
    if as_json:
        print_json(found)
    else:
        for path, findings in found.items():
            typer.echo(path)
            _tell(findings)
    if any(failed(findings) for findings in found.values()):
        raise typer.Exit(1)


def doctor(
    configs: Annotated[
        list[Path] | None, typer.Argument(help="Configs that are to run here; none: the machine.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at this machine and say what will and will not work. Exit status 1 at an error."""
    from comd_platform.settings import get_settings
    from comd_workers.checks.doctor import examine
    from comd_workers.checks.finding import failed

    found = list(examine(get_settings(), configs or ()))
    if as_json:
        print_json(found)
    else:
        _tell(found)
    if failed(found):
        raise typer.Exit(1)


def _tell(findings: Iterable[Finding]) -> None:
    from rich.markup import escape

    console = console_for_people()
    for each in findings:
        line = f"  {_MARKS[each.level]}  {escape(each.what):<22} {escape(each.said)}"
        console.print(line, soft_wrap=True)
        if each.hint:
            console.print(f"{'':32}{escape(each.hint)}", style="dim", soft_wrap=True)
