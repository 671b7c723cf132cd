"""`comd doctor`: all that is looked at, and what of it follows for a user's plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from comd_platform.settings import Settings
from comd_workers.checks import machine, services
from comd_workers.checks.configs import check_config
from comd_workers.checks.finding import Finding, failed, note, ok


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
    stands = not broken & {"database", "schema", "broker", "home"}
    cards = bool(machine.list_gpus()) and not broken & {"gpu", "torch"}
    plans = (
        ("run the loop", stands, "database, schema and broker must be mended"),
        ("ask models over the network", True, ""),
        ("run and tune models here", extras["train"], "pip install 'comd[train]'"),
        ("tune a 7B student here", extras["train"] and cards, "it takes GPUs"),
        ("comd demo", extras["train"] and stands, "pip install 'comd[train,embedded]'"),
        ("comd pretrain filter", extras["pretrain"], "pip install 'comd[pretrain]'"),
        ("comd dashboard", extras["dashboard"] and stands, "pip install 'comd[dashboard]'"),
    )
    for plan, works, otherwise in plans:
        yield ok(plan, "works here") if works else note(plan, "does not work here", otherwise)
