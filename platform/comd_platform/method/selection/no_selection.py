"""none: no new pool; every iteration tunes on the seed pool again."""

from __future__ import annotations

from comd_platform.method.selection.measure import Measure

MEASURE = Measure(needs="nothing", select=None)
