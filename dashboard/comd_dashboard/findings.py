"""What a chart shows, as the sentence above it: pure, from the same rows."""

from __future__ import annotations

from collections.abc import Sequence

from comd_dashboard import words
from comd_platform.reports.against_teacher import HeldOutRow, OutcomeRow, TypeRow
from comd_platform.reports.difficulty import Bands, StandingRow, TaskTypeRow
from comd_platform.reports.evaluations import ScoreRow
from comd_platform.reports.judge import JudgeRow, ScoreCount, SlotScore
from comd_platform.reports.planning import NextPool
from comd_platform.reports.pools import FunnelRow, PoolRow, RejectionRow
from comd_platform.reports.training import LossPoint


def growth(rows: Sequence[PoolRow]) -> str:
    first, last = rows[0], rows[-1]
    if first.cache == last.cache:
        return f"The cache pool holds {words.count(last.cache)} instructions, and has not grown"
    return (
        f"The cache pool grew from {words.count(first.cache)} to {words.count(last.cache)} "
        f"instructions in {last.iteration} iterations"
    )


def funnel(rows: Sequence[FunnelRow]) -> str:
    """`rows`: one iteration's."""
    selected = sum(row.selected for row in rows)
    trained = sum(row.trained for row in rows)
    accepted = sum(row.accepted for row in rows)
    told = (
        f"{_share(accepted, selected)} of {words.count(selected)} sources became a new instruction"
    )
    if trained < accepted:
        told += f", and {words.count(accepted - trained)} of those are not trained on"
    return told


def rejections(rows: Sequence[RejectionRow]) -> str:
    """`rows`: one iteration's."""
    share = sum(row.share for row in rows)
    first = rows[0]
    return (
        f"{words.percent(share)} of the augmentor's replies were rejected, most often as "
        f"“{first.reason.replace('_', ' ')}”"
    )


def difficulty(found: Bands, threshold: float) -> str:
    return (
        f"At τ = {threshold:g}, {words.count(found.difficult)} of {words.count(found.scored)} "
        f"instructions are difficult ({words.percent(found.difficult_share)})"
    )


def next_pool(pool: NextPool | None, selection: str) -> str:
    """What would be chosen, and what would come of it."""
    if pool is None:
        if selection == "none":
            return "This run grows no pool: every iteration trains on the seed pool."
        return "This run does not choose by these scores, so τ here does not move its next pool."
    quota = pool.quota
    if selection == "regret":
        basis = f"{words.count(quota.difficult)} where the teacher did better"
    elif selection == "competitive":
        basis = f"{words.count(quota.difficult)} difficult"
    else:
        return f"This run would draw {words.count(quota.sources)} sources at random, whatever τ is."
    told = f"The next pool would start from {basis} and {words.count(quota.easy)} easy ones"
    if pool.cap is not None and quota.sources >= pool.cap:
        told += f" (the most that method.max_new allows: {words.count(pool.cap)})"
    if pool.expected is not None:
        told += (
            f"; about {words.count(pool.expected)} new instructions would come of them, at the "
            f"{words.percent(pool.accepted_share)} that were accepted last"
        )
    if not pool.enough:
        told += ". That is less than method.minimum_pool: the run would stop, or fill up"
    return told + "."


def standings(rows: Sequence[StandingRow]) -> str:
    share = {row.standing: row.share for row in rows}
    hard = {name: value for name, value in share.items() if name != "easy" and value}
    if not hard:
        return "Nothing is difficult at this threshold"
    first = max(hard, key=lambda name: hard[name])
    why = {
        "student behind": "the student is behind its teacher",
        "both weak": "both are weak",
        "student ahead": "the student is ahead of its teacher",
    }[first]
    total = sum(hard.values())
    return f"Most of what is difficult is so because {why}: {words.percent(hard[first] / total)}"


def task_types(rows: Sequence[TaskTypeRow]) -> str:
    known = [row for row in rows if row.difficult_share is not None]
    if len(known) < 2:
        return "There is one task type"
    hardest = max(known, key=lambda row: row.difficult_share or 0)
    easiest = min(known, key=lambda row: row.difficult_share or 0)
    if words.percent(hardest.difficult_share) == words.percent(easiest.difficult_share):
        return f"Every task type is equally difficult ({words.percent(hardest.difficult_share)})"
    return (
        f"“{hardest.task_type}” is the most difficult task type "
        f"({words.percent(hardest.difficult_share)}), “{easiest.task_type}” the least "
        f"({words.percent(easiest.difficult_share)})"
    )


def flips(row: JudgeRow) -> str:
    if not row.both_orders:
        return "No pair could be scored in both orders"
    told = f"The two orders name different winners in {words.percent(row.flip_share, 1)} of pairs"
    if row.kappa is not None:
        told += f" (κ = {row.kappa:.2f})"
    return told


def slots(rows: Sequence[SlotScore], bonus: float | None) -> str:
    if not rows or bonus is None:
        return "No pair could be scored in both orders"
    if abs(bonus) < 0.05:
        return "The assessor does not care which answer stands first"
    slot = "first" if bonus > 0 else "second"
    return f"Standing {slot} is worth {abs(bonus):.2f} points on average"


def scale_use(rows: Sequence[ScoreCount]) -> str:
    total = sum(row.scores for row in rows)
    if not total:
        return "No score could be read"
    top = sum(row.scores for row in rows if row.score >= 9)
    used = len({row.score for row in rows if row.scores})
    return f"{_share(top, total)} of all scores are 9 or more, and {used} of 10 scores are used"


def judge_over_time(rows: Sequence[JudgeRow]) -> str:
    known = [row for row in rows if row.flip_share is not None]
    if len(known) < 2:
        return "How often the orders disagree, by iteration"
    first, last = known[0], known[-1]
    assert first.flip_share is not None
    assert last.flip_share is not None
    way = "more" if last.flip_share > first.flip_share else "less"
    if abs(last.flip_share - first.flip_share) < 0.005:
        return f"The orders disagree as often as at first: {words.percent(last.flip_share, 1)}"
    return (
        f"The orders disagree {way} often than at first: {words.percent(last.flip_share, 1)} after "
        f"{words.percent(first.flip_share, 1)}"
    )


def outcomes(rows: Sequence[OutcomeRow]) -> str:
    not_lost = {
        number: 1 - row.interval.score
        for row in rows
        if row.outcome == "loss"
        for number in (row.iteration,)
    }
    first, last = min(not_lost), max(not_lost)
    told = (
        f"The student holds its own on {words.percent(not_lost[last])} of the cache pool after "
        f"iteration {last}"
    )
    if first != last:
        told += f" ({words.percent(not_lost[first])} after {first})"
    return told


def held_out(rows: Sequence[ScoreRow], against: Sequence[HeldOutRow], benchmark: str) -> str:
    """`rows` and `against`: one run's on one benchmark."""
    students = [row for row in rows if row.who == "student" and row.iteration is not None]
    if not students:
        return f"No student has been scored on “{benchmark}” yet"
    last = students[-1]
    told = f"“{benchmark}”: {words.percent(last.score, 1)} after iteration {last.iteration}"
    found = next((row for row in against if row.iteration == last.iteration), None)
    if found is None:
        return told
    points = words.points(100 * found.difference, 1)
    if abs(found.difference) <= found.half_width:
        return f"{told}, not to be told apart from the teacher ({points} points)"
    way = "above" if found.difference > 0 else "below"
    lead = f"{abs(100 * found.difference):.1f} ± {100 * found.half_width:.1f} points"
    return f"{told}, {lead} {way} the teacher"


def type_matrix(rows: Sequence[TypeRow]) -> str:
    last = max(row.iteration for row in rows)
    known = [row for row in rows if row.iteration == last and row.not_lost is not None]
    if len(known) < 2:
        return "By task type"
    weakest = min(known, key=lambda row: row.not_lost or 0)
    strongest = max(known, key=lambda row: row.not_lost or 0)
    if words.percent(weakest.not_lost) == words.percent(strongest.not_lost):
        return (
            f"After iteration {last} the student holds its own on {words.percent(weakest.not_lost)} "
            "of every task type"
        )
    return (
        f"After iteration {last} the student is weakest on “{weakest.task_type}”: it holds its own "
        f"on {words.percent(weakest.not_lost)}"
    )


def loss(points: Sequence[LossPoint]) -> str:
    last = max(point.iteration for point in points)
    of_it = [point for point in points if point.iteration == last]
    return f"In iteration {last} the loss went from {of_it[0].loss:.3f} to {of_it[-1].loss:.3f}"


def _share(part: int, whole: int) -> str:
    return words.percent(part / whole if whole else None)
