"""How cost grows: the exponent of seconds over size, and a picture of a topic's curves.

A benchmark that has sizes to walk through gives `main` a second function,
`grow(scale) -> list[Curve]`; `make bench` fits, draws and lists what all of them return.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

WORSE_THAN_LINEAR = 1.1
"""An exponent above this one needs mending, or a profile that shows where it lies."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Seconds of one piece of work at growing sizes; `topic` names the picture that it is drawn in.

    `unit` says what `sizes` count, `note` what else a reader must know (where the time goes, say).
    """

    topic: str
    what: str
    unit: str
    sizes: list[int]
    seconds: list[float]
    note: str = ""

    @property
    def exponent(self) -> float:
        """b of seconds = a * size^b, least squares over the logarithms."""
        return slope([math.log(n) for n in self.sizes], [math.log(s) for s in self.seconds])

    @property
    def last_exponent(self) -> float:
        """The exponent between the two largest sizes, where what is fixed weighs least."""
        large, small = self.sizes[-1], self.sizes[-2]
        return math.log(self.seconds[-1] / self.seconds[-2]) / math.log(large / small)


def slope(x: list[float], y: list[float]) -> float:
    """Of the least-squares line. Raises ValueError for fewer than two different x."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((each - mean_x) ** 2 for each in x)
    if len(x) != len(y) or not spread:
        raise ValueError(f"no line through {len(x)} points with {len(set(x))} different x")
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread


def table(curves: Iterable[Curve]) -> str:
    """One Markdown line a curve: the times, the exponent over all sizes and at the end."""
    lines = [
        "| what | sizes | seconds | exponent | at the end |",
        "| --- | --- | --- | --- | --- |",
    ]
    for curve in curves:
        mark = "**" if curve.last_exponent > WORSE_THAN_LINEAR else ""
        lines.append(
            f"| {curve.what} | {', '.join(short(n) for n in curve.sizes)} {curve.unit} |"
            f" {', '.join(f'{s:.3g}' for s in curve.seconds)} | {curve.exponent:.2f} |"
            f" {mark}{curve.last_exponent:.2f}{mark} |"
        )
    return "\n".join(lines)


def short(size: int) -> str:
    """10 K, 1.5 M."""
    for power, letter in ((1_000_000, "M"), (1_000, "K")):
        if size >= power:
            return f"{size / power:g} {letter}"
    return str(size)


def draw(curves: Iterable[Curve], folder: Path) -> dict[str, Path]:
    """One SVG a topic, both axes logarithmic, a straight line of slope 1 beside the curves.

    The same curves give the same bytes. Returns the file of every topic.
    """
    topics: dict[str, list[Curve]] = {}
    for curve in curves:
        topics.setdefault(curve.topic, []).append(curve)
    folder.mkdir(parents=True, exist_ok=True)
    return {topic: _draw(topic, each, folder) for topic, each in topics.items()}


def _draw(topic: str, curves: list[Curve], folder: Path) -> Path:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    path = folder / f"{re.sub('[^a-z0-9]+', '-', topic.lower()).strip('-')}.svg"
    with mpl.rc_context({"svg.hashsalt": "comd", "font.size": 9}):
        figure = Figure(figsize=(5.4, 3.4), layout="constrained")
        axes = figure.subplots()
        for curve in curves:
            label = f"{curve.what} (n^{curve.exponent:.2f})"
            axes.plot(curve.sizes, curve.seconds, marker="o", markersize=3.5, label=label)
        first = max(curves, key=lambda curve: curve.seconds[-1])
        ends = [first.sizes[0], first.sizes[-1]]
        linear = [first.seconds[-1] * n / ends[-1] for n in ends]
        axes.plot(ends, linear, color="#9e9e9e", linestyle=":", linewidth=1, label="linear")
        axes.set(title=topic, xlabel=first.unit, ylabel="seconds", xscale="log", yscale="log")
        sizes = sorted({size for curve in curves for size in curve.sizes})
        axes.set_xticks(sizes, [short(n) for n in sizes])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7)
        figure.savefig(path, format="svg", metadata={"Date": None})
    return path
