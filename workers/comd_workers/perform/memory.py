"""How much memory this worker holds, for its heartbeat."""

from __future__ import annotations

import sys

import psutil


def resident_bytes() -> int:
    """Resident memory of this process and of those it started: a training's ranks, a server."""
    process = psutil.Process()
    total: int = process.memory_info().rss
    for child in process.children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:  # ended between the two lines
            continue
    return total


def device_bytes() -> int | None:
    """What torch has reserved on this process's CUDA devices; None where it uses none.

    Torch is not loaded for it, and CUDA not started. What another process reserves (a training's
    rank, a vLLM server) is not seen from here.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return sum(int(torch.cuda.memory_reserved(n)) for n in range(torch.cuda.device_count()))
