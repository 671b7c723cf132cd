"""DeepSpeed's buffers: their sizes as comd sets them, so that plan and training agree. No torch here."""

from __future__ import annotations

REDUCE_BUCKET = 200_000_000
"""Elements that gradients are summed over ranks in; DeepSpeed's default of 5e8 takes 2 GiB more."""

GATHER_BUCKET = 200_000_000
"""Elements that ZeRO-1 and 2 hand new weights out in."""

LIVE_PARAMETERS = 500_000_000
"""ZeRO-3: elements whose weights may be gathered at a time (stage3_max_live_parameters)."""

PREFETCH = 50_000_000
"""ZeRO-3: elements gathered ahead."""
