"""Claims that the evidence is asked about, each judged by its numbers and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from comd_platform.evaluation.over_seeds import Difference
from comd_workers.evidence.results import BALANCED, FAMOUS, LOOK, NATURAL, TAIL, Measure, Results

SMALL = 0.02
"""A loss below this is called none, where a claim says that nothing is lost."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`arm` is better than `baseline` by `measure`; with a margin, at most that much worse."""

    words: str
    arm: str
    baseline: str
    measure: Measure
    margin: float = 0.0


_BASE, _SEED, _SUM = "competitive", "seed-only", "accumulate"
CLAIMS = (
    Claim("Targeting beats random augmentation", _BASE, "random", TAIL),
    Claim("Targeting beats the seed pool alone", _BASE, _SEED, TAIL),
    Claim("… on the whole balanced test", _BASE, _SEED, BALANCED),
    Claim("… on the natural distribution", _BASE, _SEED, NATURAL),
    Claim("… and loses nothing at looking", _BASE, _SEED, LOOK, SMALL),
    Claim("Random augmentation beats the seed pool alone", "random", _SEED, TAIL),
    Claim("Regret selects better than eq. 6", "regret", _BASE, TAIL),
    Claim("Doubt selects better than eq. 6", "uncertainty", _BASE, TAIL),
    Claim("Doubt, without a judge, beats the seed pool alone", "uncertainty", _SEED, TAIL),
    Claim("Hard ones alone are better than the balance", "hard-only", _BASE, TAIL),
    Claim("… and lose nothing at looking", "hard-only", _BASE, LOOK, SMALL),
    Claim("τ = 0.33 beats τ = 0 and τ = 1", _BASE, "random", BALANCED),
    Claim("τ = 0.33 beats τ = 0.67", _BASE, "tau-067", BALANCED),
    Claim("Replaying a quarter beats replacing", "replay", _BASE, TAIL),
    Claim("… on the natural distribution", "replay", _BASE, NATURAL),
    Claim("… at looking", "replay", _BASE, LOOK),
    Claim("Accumulating beats replacing", _SUM, _BASE, TAIL),
    Claim("… on the natural distribution", _SUM, _BASE, NATURAL),
    Claim("… at looking", _SUM, _BASE, LOOK),
    Claim("Accumulating beats the seed pool alone", _SUM, _SEED, TAIL),
    Claim("… on the natural distribution", _SUM, _SEED, NATURAL),
    Claim("… and loses nothing at looking", _SUM, _SEED, LOOK, SMALL),
    Claim("… nor about the famous", _SUM, _SEED, FAMOUS, SMALL),
    Claim("Accumulating needs targeting: it beats random pools", _SUM, "accumulate-random", TAIL),
    Claim("… on the natural distribution", _SUM, "accumulate-random", NATURAL),
    Claim("With one answer a dialogue it beats the seed pool", "accumulate-1", _SEED, TAIL),
    Claim("… on the natural distribution", "accumulate-1", _SEED, NATURAL),
    Claim("… and loses nothing at looking", "accumulate-1", _SEED, LOOK, SMALL),
)


def verdict(claim: Claim, found: Difference) -> str:
    """What the 95 % interval of the paired differences says."""
    if found.low is None or found.high is None:
        return "one seed, no test"
    if found.low > -claim.margin:
        return "**holds**"
    if found.high < 0:
        return "**the opposite holds**"
    return "not shown"


def judged(results: Results) -> list[tuple[Claim, Difference, str]]:
    """Every claim whose arms were played."""
    rows = []
    for claim in CLAIMS:
        found = results.difference(claim.arm, claim.baseline, claim.measure)
        if found is not None:
            rows.append((claim, found, verdict(claim, found)))
    return rows
