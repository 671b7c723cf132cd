"""`comd doctor`: all that is looked at, and what of it follows for a user's plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from comd_platform.settings import Settings
from comd_workers.checks import machine, services
from comd_workers.checks.configs import check_config
from comd_workers.checks.finding import Finding, failed, note, ok

_STORE = ("home", "database", "schema", "broker")


def examine(settings: Settings, configs: Sequence[Path] = ()) -> Iterator[Finding]:
    """Every finding about this machine, then about each config on it, then what works here."""
    looked: list[Finding] = []
    for findings in (
        machine.packages(),
        machine.gpus(),
        machine.memory(),
        machine.folders(settings),
        services.database(settings),
        services.broker(settings),
        *(_config(path) for path in configs),
    ):
        for finding in findings:
            looked.append(finding)
            yield finding
    yield from _abilities(looked)


def _config(path: Path) -> Iterator[Finding]:
    from comd_platform.config.load import load_config, read_document

    findings = check_config(path)
    yield from findings
    if not failed(findings) and "stage" not in read_document(path):
        yield from services.model_servers(load_config(path))


def _abilities(looked: Sequence[Finding]) -> Iterator[Finding]:
    """What will and will not work, from what was seen."""
    extras = machine.extras_here()
    broken = {finding.what for finding in looked if finding.level == "error"}
    no_store = [f"mend first: {what}" for what in _STORE if what in broken]
    no_card = [] if machine.list_gpus() and not broken & {"gpu", "torch"} else ["it takes GPUs"]

    def lacks(*names: str) -> list[str]:
        missing = ",".join(name for name in names if not extras[name])
        return [f"pip install 'comd[{missing}]'"] if missing else []

    plans: tuple[tuple[str, list[str]], ...] = (
        ("run the loop", no_store),
        ("ask models over the network", []),
        ("run and tune models here", lacks("train")),
        ("tune a 7B student here", lacks("train") + no_card),
        ("comd demo", lacks("train") + no_store),
        ("comd pretrain filter", lacks("pretrain")),
        ("comd dashboard", lacks("dashboard") + no_store),
    )
    for plan, reasons in plans:
        if reasons:
            yield note(plan, "does not work here", "; ".join(reasons))
        else:
            yield ok(plan, "works here")
