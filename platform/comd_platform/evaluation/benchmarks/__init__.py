"""The registry of benchmarks: one file each, one line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from comd_platform.evaluation.benchmarks.base import Benchmark, FileReport, Result
from comd_platform.evaluation.benchmarks.custom import Custom
from comd_platform.evaluation.benchmarks.llava_bench import LlavaBench
from comd_platform.evaluation.benchmarks.scienceqa import ScienceQA
from comd_platform.evaluation.benchmarks.seed_bench import SeedBench

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "scienceqa": ScienceQA(),
    "seed_bench": SeedBench(),
    "llava_bench": LlavaBench(),
    "custom": Custom(),
}

__all__ = ["BENCHMARKS", "Benchmark", "FileReport", "Result"]
