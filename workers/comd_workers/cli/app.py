"""The command tree. Heavy imports happen inside the commands, so that `comd --help` is quick.

A new command follows tests/workers/cli/test_conventions.py: help, an example, `--json` where it
prints data.
"""

from __future__ import annotations

import importlib.metadata
import logging
from typing import Annotated

import typer

from comd_workers.cli import (
    ablate,
    backup,
    config,
    data,
    database,
    demo,
    doctor,
    evaluate,
    inspect,
    lineage,
    loop,
    memory,
    overlap,
    pretrain,
    review,
    runs,
    schema,
    sql,
    status,
    track,
)
from comd_workers.cli.failing import end
from comd_workers.cli.options import examples

app = typer.Typer(
    name="comd",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Competitive multi-modal distillation: a teacher, a student, and a database between them.",
    epilog=examples(
        "comd demo                      # a whole run on this machine, in minutes",
        "comd import llava seed.json --images pictures/",
        "comd status demo-0 --watch",
        "comd COMMAND --help            # every command has examples",
    ),
)

_state = {"debug": False}


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.metadata.version("comd"))
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="COMD_DEBUG", help="Show tracebacks and debug logs.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
    _state["debug"] = debug
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


LOOP, DATA, LOOK, ADMIN = "The loop", "Data", "Look and ask", "Machine"

app.command(
    "demo",
    rich_help_panel=LOOP,
    epilog=examples("comd demo", "comd demo --seed 1   # another run beside it"),
)(demo.demo)
app.add_typer(runs.app, name="run", rich_help_panel=LOOP)
app.command(
    "iterate",
    rich_help_panel=LOOP,
    epilog=examples(
        "comd iterate demo-0",
        "comd iterate demo-0 -n 1              # one more iteration",
        "comd iterate demo-0 --workers 0       # workers run elsewhere",
    ),
)(loop.iterate)
app.command(
    "ablate",
    rich_help_panel=LOOP,
    epilog=examples(
        "comd ablate demo-0 --vary method.difficulty_threshold=0,0.33,0.67,1 --seeds 3",
        "comd ablate demo-0 --vary pools.mode=replace,accumulate --vary method.max_new=500,1000",
    ),
)(ablate.ablate)
app.command("retry", rich_help_panel=LOOP, epilog=examples("comd retry demo-0"))(loop.retry)
app.command(
    "worker",
    rich_help_panel=LOOP,
    epilog=examples(
        "comd worker                                # all roles",
        "CUDA_VISIBLE_DEVICES=1 comd worker --roles teacher,assessor",
    ),
)(loop.worker)
app.add_typer(pretrain.app, name="pretrain", rich_help_panel=LOOP)
app.add_typer(data.import_app, name="import", rich_help_panel=DATA)
app.command(
    "export",
    rich_help_panel=DATA,
    epilog=examples(
        "comd export demo-0 demo/",
        "comd export demo-0 hub/ --format hf           # datasets.load_dataset opens it",
        "comd export demo-0 factory/ --format sharegpt # LLaMA-Factory's dataset_info.json in it",
        "comd export demo-0 hard/ --scope tuning --iteration 4 --min-difficulty 0.33",
    ),
)(data.export)
app.command(
    "evaluate",
    rich_help_panel=LOOK,
    epilog=examples(
        "comd evaluate --benchmark scienceqa --questions scienceqa/ --from-file outputs.json --json",
        "comd evaluate --benchmark seed_bench --from-file GPT-4V.json",
        "comd evaluate demo-0 --benchmark tinyworld-test",
        "comd evaluate demo-0 --benchmark tinyworld-test --iteration 4 --json",
    ),
)(evaluate.evaluate)
app.command("backup", rich_help_panel=DATA, epilog=examples("comd backup demo-0 demo-0.tar"))(
    backup.backup
)
app.command(
    "restore",
    rich_help_panel=DATA,
    epilog=examples("comd restore demo-0.tar", "comd restore demo-0.tar --name demo-copy"),
)(backup.restore)
app.command(
    "status",
    rich_help_panel=LOOK,
    epilog=examples(
        "comd status demo-0", "comd status demo-0 --watch", "comd status demo-0 --json"
    ),
)(status.status)
app.command(
    "compare",
    rich_help_panel=LOOK,
    epilog=examples("comd compare demo-0 demo-0-random", "comd compare demo-0 tau67 --json"),
)(ablate.compare)
app.command(
    "track",
    rich_help_panel=LOOK,
    epilog=examples(
        "comd track demo-0 --out runs/     # then: tensorboard --logdir runs/",
        "comd track demo-0 --to wandb --watch",
    ),
)(track.track)
app.command(
    "lineage",
    rich_help_panel=LOOK,
    epilog=examples("comd lineage 42", "comd lineage 42 --run demo-0 --json"),
)(lineage.lineage)
app.add_typer(review.app, name="review", rich_help_panel=LOOK)
app.command(
    "sql",
    rich_help_panel=LOOK,
    epilog=examples(
        "comd sql                                  # psql",
        'comd sql "SELECT * FROM iteration_summary"',
        'comd sql --csv "SELECT * FROM difficult_instruction" > difficult.csv',
        "comd sql --json -f question.sql",
    ),
)(sql.sql)
app.command(
    "schema",
    rich_help_panel=LOOK,
    epilog=examples("comd schema", "comd schema --out schema.md", "comd schema --json"),
)(schema.schema)
app.command(
    "failures",
    rich_help_panel=LOOK,
    epilog=examples("comd failures demo-0", "comd failures demo-0 --json"),
)(inspect.failures)
app.command(
    "decontaminate",
    rich_help_panel=LOOK,
    epilog=examples(
        "comd decontaminate demo-0",
        "comd decontaminate demo-0 --benchmark tinyworld-test   # look now, change nothing",
        "comd decontaminate demo-0 --iteration 2 --json",
    ),
)(overlap.decontaminate)
app.command(
    "duplicates",
    rich_help_panel=LOOK,
    epilog=examples(
        "comd duplicates demo-0                     # a run's cache pool",
        "comd duplicates tinyworld --threshold 0.8  # a pool",
        "comd duplicates demo-0 --json",
    ),
)(overlap.duplicates)
app.command(
    "dashboard",
    rich_help_panel=LOOK,
    epilog=examples(
        "comd dashboard",
        "comd dashboard --port 8600 --address 0.0.0.0 --password-file secret.txt",
        "comd dashboard --user-header X-Forwarded-User --trusted-proxy 10.0.0.0/8",
    ),
)(inspect.dashboard)
config.app.command(
    "check",
    epilog=examples("comd config check my.yaml", "comd config check examples/*.yaml --json"),
)(doctor.check)
app.add_typer(config.app, name="config", rich_help_panel=ADMIN)
app.command(
    "doctor",
    rich_help_panel=ADMIN,
    epilog=examples("comd doctor", "comd doctor my.yaml", "comd doctor --json"),
)(doctor.doctor)
app.command(
    "plan-memory",
    rich_help_panel=ADMIN,
    epilog=examples(
        "comd plan-memory --parameters 7B --gpus 6 --gpu-memory 32 --precision fp16",
        "comd plan-memory my.yaml                  # this machine's GPUs",
        "comd plan-memory --model qwen/ --gpus 8 --gpu-memory 80 --nodes 2 --json",
    ),
)(memory.plan_memory)
app.add_typer(database.app, name="db", rich_help_panel=ADMIN)


def main() -> None:
    """Run the command line; exit statuses are in `failing.EXIT_STATUS`."""
    try:
        app()
    except Exception as error:
        if _state["debug"]:
            raise
        end(error)
