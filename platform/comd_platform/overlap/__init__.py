"""What instructions share with benchmarks, and with each other."""

from comd_platform.overlap.duplicates import Cluster, Duplicates, find_duplicates
from comd_platform.overlap.hits import Checked, find_hits

__all__ = ["Checked", "Cluster", "Duplicates", "find_duplicates", "find_hits"]
