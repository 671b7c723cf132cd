"""`comd demo`: placeholder until the tinyworld is there."""

from __future__ import annotations


def demo() -> None:
    """A whole competitive distillation on this machine."""
