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
    # The main thread may be importing torch at this moment: a part is bound to it once it is whole.
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return None
    return sum(int(cuda.memory_reserved(n)) for n in range(cuda.device_count()))
