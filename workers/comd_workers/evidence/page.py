"""docs/evidence.md, from the raw results and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from comd_platform.evaluation.over_seeds import Difference, Spread
from comd_workers.evidence.claims import judged
from comd_workers.evidence.results import MEASURES, Measure, Results

FIGURE = "images/evidence.svg"
_AGAINST = ("seed-only", "random")


def page(results: Results, method: str, words: str) -> str:
    """The whole page; people wrote `method` and `words` (`method.md`, `words.md` beside this file).

    An arm that has not been played on every seed says on how many it was.
    """
    return (
        "\n\n".join(
            (
                method.strip(),
                made(results),
                words.strip(),
                "## What holds, and what does not\n\n" + _claims(results),
                f"![Accuracy by iteration]({FIGURE})\n\n*Mean and standard deviation over seeds.*",
                "## After the last iteration\n\n" + spreads(results, results.titles),
                *(
                    f"## Paired differences to *{results.titles[name]}*\n\n"
                    + differences(results, name, results.titles)
                    for name in _AGAINST
                    if name in results.titles
                ),
                "## By type of question and third of the tail\n\n" + _groups(results),
                "## What each arm was given\n\n" + _budget(results),
                "## The assessor and the flags against the truth\n\n" + _truth(results),
            )
        ).rstrip()
        + "\n"
    )


def made(results: Results) -> str:
    """Seeds, split, date, machine and versions; and which arms ended early."""
    when = results.document["made"]
    seeds = ", ".join(map(str, results.seeds))
    said = (
        f"Seeds {seeds}; split `{results.document['split']}`; {when['date']}; "
        f"{when['machine']}; {when['versions']}."
    )
    ended = results.document["ended_early"]
    for run, why in ended.items():
        said += f"\n`{run}` ended early: {why}."
    return said


def _claims(results: Results) -> str:
    return table(
        ("claim", "measure", "difference", "95 % interval", "p", "seeds", "verdict"),
        [
            (
                claim.words,
                claim.measure.title,
                f"{found.mean:+.3f}",
                interval(found),
                _p(found),
                f"{found.wins} of {found.n}",
                said,
            )
            for claim, found, said in judged(results)
        ],
    )


def spreads(results: Results, arms: Mapping[str, str]) -> str:
    """Scores of arms (name to title) after the last iteration, under teacher and untuned student."""
    rows: list[Sequence[str]] = [
        (
            title,
            *(_score(results.reference(who, measure)) for measure in MEASURES),
        )
        for who, title in (("untuned student", "*untuned student*"), ("teacher", "*teacher*"))
    ]
    rows += [
        (title, *(_spread(results.spread(arm, measure)) for measure in MEASURES))
        for arm, title in arms.items()
    ]
    return table(("arm", *(measure.title for measure in MEASURES)), rows)


def differences(results: Results, baseline: str, arms: Mapping[str, str]) -> str:
    """Of arms (name to title) to a baseline, paired by seed."""
    return table(
        ("arm", *(measure.title for measure in MEASURES)),
        [
            (title, *(_cell(results.difference(arm, baseline, m)) for m in MEASURES))
            for arm, title in arms.items()
            if arm != baseline
        ],
    )


def _groups(results: Results) -> str:
    parts = []
    for label, test in (("type", "balanced"), ("third", "balanced"), ("third", "natural")):
        values = [value for value in results.groups(test, label) if value != "none"]
        measures = [Measure(value, test, f"{label}={value}") for value in values]
        rows = [
            (title, *(_spread(results.spread(arm, measure)) for measure in measures))
            for arm, title in results.titles.items()
        ]
        parts.append(f"By {label}, {test} test:\n\n" + table(("arm", *values), rows))
    return "\n\n".join(parts)


def _budget(results: Results) -> str:
    """Means over seeds, of iterations 2 and later together; the first is the same for all."""
    rows = []
    for arm, title in results.titles.items():
        later = [row for row in results.iterations(arm) if row["iteration"] > 1]
        seeds = len({row["seed"] for row in later}) or 1
        difficult = [
            row["difficult"] / (row["difficult"] + row["easy"])
            for row in later
            if row["difficult"] + row["easy"]
        ]
        turns = [row["examples"] / row["dialogues"] for row in later if row["dialogues"]]
        rows.append(
            (
                title,
                f"{sum(row['new'] for row in later) / seeds:,.0f}",
                f"{sum(row['steps'] for row in later) / seeds:,.0f}",
                f"{fmean(row['examples'] for row in later):,.0f}" if later else "-",
                f"{fmean(turns):.2f}" if turns else "-",
                f"{fmean(difficult):.3f}" if difficult else "-",
            )
        )
    columns = ("arm", "new instructions", "steps", "examples in the pool", "answers a dialogue")
    return table((*columns, "difficult share"), rows)


def _truth(results: Results) -> str:
    names = {
        "readable_questions": "questions of this world",
        "teacher_right": "labels right",
        "judge_exact": "scores exact",
        "judge_verdict": "right told from wrong",
        "flips": "orders disagree",
        "first_lead": "first answer's lead",
        "precision": "precision",
        "recall": "recall",
        "auc": "AUC",
    }
    rows = []
    for arm in ("competitive", "uncertainty"):
        found = results.truth(arm)
        for number in sorted({row["iteration"] for row in found}):
            of = [_shares(row) for row in found if row["iteration"] == number]
            rows.append(
                (f"{results.titles[arm]}, iteration {number}", *(_mean(of, key) for key in names))
            )
    return table(("flags of", *names.values()), rows)


def _shares(row: Any) -> dict[str, Any]:
    return {**row, "readable_questions": row["readable_questions"] / row["instructions"]}


def _mean(rows: Iterable[dict[str, Any]], key: str) -> str:
    values = [row[key] for row in rows if row[key] is not None]
    return f"{fmean(values):.4f}" if values else "-"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is words, the others numbers."""
    lines = ["| " + " | ".join(columns) + " |", "|---" + "|---:" * (len(columns) - 1) + "|"]
    return "\n".join((*lines, *("| " + " | ".join(row) + " |" for row in rows)))


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _spread(found: Spread | None) -> str:
    if found is None:
        return "-"
    return f"{found.mean:.3f}" + ("" if found.sd is None else f" ± {found.sd:.3f}")


def _cell(found: Difference | None) -> str:
    if found is None:
        return "-"
    said = f"{found.mean:+.3f}"
    if found.sd is not None:
        said += f" ± {found.sd:.3f} ({found.wins}/{found.n})"
    return said


def interval(found: Difference) -> str:
    """The 95 % interval, where there is more than one seed."""
    return "-" if found.low is None else f"{found.low:+.3f} to {found.high:+.3f}"


def _p(found: Difference) -> str:
    if found.p is None:
        return "-"
    return "< 0.001" if found.p < 0.001 else f"{found.p:.3f}"
