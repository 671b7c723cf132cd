"""People's decisions about instructions: written (`deciding`), kept to by the loop (`honouring`)."""

from comd_platform.review.deciding import DECISIONS, Decision, ReviewError, last_of, record

__all__ = ["DECISIONS", "Decision", "ReviewError", "last_of", "record"]
