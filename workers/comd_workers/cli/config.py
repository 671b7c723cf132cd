"""`comd config`: what a run config says, with every default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comd_workers.cli.options import AsJson, examples
from comd_workers.cli.output import print_json

app = typer.Typer(no_args_is_help=True, help="Run configs.")

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one value; may be repeated."),
]


@app.command(
    epilog=examples(
        "comd config show                          # every key with its default",
        "comd config show my.yaml --set method.difficulty_threshold=0.5",
    )
)
def show(
    config: Annotated[Path | None, typer.Argument(help="A run config; none: the defaults.")] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Print the resolved config as YAML, every default filled in."""
    import yaml

    from comd_platform.config.load import load_config, parse_config

    if config is None:
        resolved = parse_config({"name": "example", "pool": "seed"}, overrides or ())
    else:
        resolved = load_config(config, overrides or ())
    document = resolved.model_dump(mode="json")
    if as_json:
        print_json(document)
    else:
        typer.echo(yaml.safe_dump(document, sort_keys=False), nl=False)
