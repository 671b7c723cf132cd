"""The script that measures GPUs, at its tiny size on a CPU, by the command that its page gives."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "gpu" / "measure.py"


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_measuring_at_the_tiny_size() -> None:
    small = ["--requests", "4", "--new-tokens", "4", "--steps", "4", "--set", "batch_size=2"]
    command = [sys.executable, str(SCRIPT), "--device", "cpu", *small]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for what in ("labelling", "training"):
        found = re.search(rf"\| {what}, tiny \| ([\d,]+) \| \S+ \| ([\d.]+)% \|", done.stdout)
        assert found, done.stdout
        assert int(found[1].replace(",", "")) > 0
    assert "torch.float32 product measured here" in done.stdout
