"""Reading a judge (section 3.3.2): from its reply to two scores, from two orders to one score each."""

from comd_platform.method.judging.parsing import parse_scores
from comd_platform.method.judging.positions import Averaged, average_positions, is_flip

__all__ = ["Averaged", "average_positions", "is_flip", "parse_scores"]
