"""The demo: tinyworld through the whole loop, beside the two baselines that it has to beat."""

from comd_workers.demo.play import Demo

__all__ = ["Demo"]
