"""The two bands an instruction falls into (section 3.3.2): `difficult` and `easy`."""

from __future__ import annotations

from typing import Literal

Band = Literal["difficult", "easy"]

DEFAULT_THRESHOLD = 0.33
EASY_ONLY_THRESHOLD = 1.0


def check_threshold(threshold: float) -> None:
    """Raise ValueError unless the threshold tau lies in [0, 1]."""
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"the difficulty threshold must lie in [0, 1], got {threshold!r}")


def band(difficulty: float, threshold: float = DEFAULT_THRESHOLD) -> Band:
    """Return `difficult` where S >= tau, else `easy` (section 3.3.2).

    `difficulty` is S in (0, 1] of eq. 6, `threshold` is tau in [0, 1]. The two ends are the paper's
    ablation arms: with tau = 0 everything is difficult; tau = 1 means *easy ones only*, so even
    S = 1.0 counts as easy there.

    Raises:
        ValueError: if tau lies outside [0, 1], or S outside [0, 1] (another measure may give 0).
    """
    check_threshold(threshold)
    if not 0.0 <= difficulty <= 1.0:
        raise ValueError(f"a difficulty must lie in [0, 1], got {difficulty!r}")
    if threshold >= EASY_ONLY_THRESHOLD:
        return "easy"
    return "difficult" if difficulty >= threshold else "easy"
