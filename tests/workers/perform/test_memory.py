from __future__ import annotations

import subprocess
import sys
import types

import pytest

from comd_workers.perform.memory import device_bytes, resident_bytes

HOLD = "x = bytearray(300 * 2**20); print('held', flush=True); input()"


def test_what_a_worker_started_counts_with_it() -> None:
    alone = resident_bytes()
    assert alone > 10 * 2**20
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert resident_bytes() > alone + 250 * 2**20
        child.communicate(b"\n")


def test_without_cuda_there_is_no_device_to_tell_of() -> None:
    assert device_bytes() is None


def test_a_torch_that_is_just_being_imported_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main thread loads an engine while the heartbeat asks; a beat must not end with that."""
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    assert device_bytes() is None
