"""The figure: accuracy by iteration, mean and sd over seeds (as the paper's figure 4)."""

from __future__ import annotations

from pathlib import Path

from comd_workers.evidence.results import NATURAL, TAIL, Measure, Results

_LINES = {
    "accumulate": ("#00695c", "-"),
    "competitive": ("#1976d2", "-"),
    "uncertainty": ("#8e24aa", "--"),
    "seed-only": ("#616161", "-"),
    "random": ("#ef6c00", "--"),
}
_PANELS: tuple[tuple[Measure, str], ...] = (
    (TAIL, "facts of the tail, each character alike"),
    (NATURAL, "pictures as people collect them"),
)


def draw(results: Results, out: Path) -> None:
    """An SVG; the same results give the same bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "comd", "font.size": 9}):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        for axes, (measure, title) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
            for arm, (colour, style) in _LINES.items():
                if arm not in results.titles:
                    continue
                found = [(n, results.spread(arm, measure, n)) for n in range(1, results.last + 1)]
                known = [(n, each) for n, each in found if each is not None]
                axes.errorbar(
                    [n for n, _ in known],
                    [each.mean for _, each in known],
                    yerr=[each.sd or 0.0 for _, each in known],
                    label=results.titles[arm],
                    color=colour,
                    linestyle=style,
                    linewidth=1.6,
                    capsize=2,
                )
            axes.set(title=title, xlabel="iteration", xticks=range(1, results.last + 1))
            axes.spines[["top", "right"]].set_visible(False)
        figure.axes[0].set_ylabel("held-out accuracy")
        figure.axes[0].legend(frameon=False, fontsize=8)
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, format="svg", metadata={"Date": None})
