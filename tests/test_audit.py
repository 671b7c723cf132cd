"""`make audit` says what it could not look up, and fails where that is everything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci" / "audit.py"
UNKNOWN = {"name": "private", "skip_reason": "Dependency not found on PyPI"}
CLEAN = {"name": "clean", "version": "1.0", "vulns": []}
WEAK = {
    "name": "weak",
    "version": "1.0",
    "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}],
}


@pytest.mark.parametrize(
    ("packages", "status", "told"),
    [
        ([CLEAN], 0, "1 packages looked up, 0 with known vulnerabilities"),
        ([CLEAN, UNKNOWN], 0, "could not look up 1: private"),
        ([CLEAN, WEAK], 1, "weak 1.0: CVE-1, mended in 1.1"),
        ([UNKNOWN, UNKNOWN], 2, "could not look up any of the 2 packages"),
        ([], 2, "could not look up any"),
        (None, 2, "pip-audit wrote no report"),
    ],
)
def test_the_audit_fails_where_nothing_is_known(
    tmp_path: Path, packages: list[dict[str, object]] | None, status: int, told: str
) -> None:
    report = tmp_path / "report.json"
    if packages is not None:
        report.write_text(json.dumps({"dependencies": packages, "fixes": []}))
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(report)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == status
    assert told in ended.stdout + ended.stderr
