"""How often phrases occur by rank, before and after the filter: the picture of a cut head."""

from __future__ import annotations

from pathlib import Path

from comd_training.pretrain.selection import Curves, Rule


def draw(curves: Curves, rule: Rule, out: Path, *, title: str) -> None:
    """An SVG with both axes logarithmic; the same data give the same bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "comd"}):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.subplots()
        for label, colour, curve in (
            ("before", "#9aa5b1", curves.before),
            ("after", "#00897b", curves.after),
        ):
            if curve:
                ranks, frequencies = zip(*curve, strict=True)
                axes.plot(ranks, frequencies, label=label, color=colour, linewidth=2)
        axes.axhline(rule.cap, color="#666666", linewidth=0.8, linestyle="--")
        axes.axhline(rule.minimum, color="#666666", linewidth=0.8, linestyle=":")
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="phrase, by rank",
            ylabel="pairs that contain it",
            title=title,
        )
        axes.annotate(f"cap {rule.cap}", (1, rule.cap), va="bottom", fontsize=8)
        axes.annotate(f"minimum {rule.minimum}", (1, rule.minimum), va="bottom", fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        aside = out.with_name(f".{out.name}.tmp")
        figure.savefig(aside, format="svg", metadata={"Date": None})
        aside.rename(out)
