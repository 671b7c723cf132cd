"""Why an instruction is here, and what was done with it: a story's rows as sentences."""

from __future__ import annotations

from collections.abc import Iterator

from comd_platform.reports.story import Chosen, Failed, Honoured, Overlapping, Story, Trained

_TUNED = {
    "tuning_pool": "new in that pool",
    "accumulated": "all of the cache pool is tuned on again",
    "replayed": "drawn from the older ones",
}


def reasons(story: Story) -> list[str]:
    """Sentences in the order in which things happened; each says what a row says, and no more."""
    return [*_origin(story), *_by_iteration(story)]


def _origin(story: Story) -> Iterator[str]:
    facts, written = story.facts, story.written_by
    if story.corrected_by is not None:
        yield f"{story.corrected_by.author} corrected instruction {facts.parent_id} into this one."
    elif written is not None:
        where = f" in iteration {written.iteration}" if written.iteration else ""
        yield (
            f"Written by the augmentor{where} after instruction {written.source_id}, "
            f"which was {_kind(written.band)}."
        )
        if written.rouge_l is not None:
            nearest = f", {written.nearest_id}" if written.nearest_id else ""
            yield (
                f"Kept as new: the nearest instruction of the same picture{nearest}, "
                f"is at ROUGE-L {written.rouge_l:.2f}."
            )
    else:
        record = f", record {facts.source_record}" if facts.source_record else ""
        yield f"Imported with the pool {facts.pool or '(unnamed)'}{record}."


def _by_iteration(story: Story) -> list[str]:
    """What each iteration did with it, the first iteration first."""
    told = [
        *((row.iteration, 0, _source(row)) for row in story.chosen),
        *((row.iteration, 1, _overlap(row)) for row in story.overlaps),
        *((row.iteration, 2, _honoured(row)) for row in story.honoured),
        *((row.iteration, 3, _trained(row)) for row in story.trained),
        *((row.iteration, 4, _failed(row)) for row in story.failures),
    ]
    return [f"Iteration {number}: {what}." for number, _, what in sorted(told)]


def _source(chosen: Chosen) -> str:
    score = "" if chosen.score is None else f", at {chosen.score:.2f}"
    return f"the pool grew from it as {_kind(chosen.band)}{score} (τ = {chosen.threshold:g})"


def _overlap(overlap: Overlapping) -> str:
    done = "kept out of the training" if overlap.verdict == "excluded" else overlap.verdict
    return f"overlaps with {overlap.benchmark} ({overlap.kind.replace('_', ' ')}): {done}"


def _honoured(honoured: Honoured) -> str:
    if honoured.verdict == "accept":
        return f"accepted by {honoured.author}"
    return f"not tuned on, since {honoured.author} decided: {honoured.verdict}"


def _trained(trained: Trained) -> str:
    why = _TUNED.get(trained.reason, trained.reason)
    return f"the student was tuned on it ({why}), as turn {trained.turn} of its dialogue"


def _failed(failure: Failed) -> str:
    return f"{failure.state} in phase {failure.phase}: {failure.reason}"


def _kind(band: str) -> str:
    return {
        "difficult": "a difficult one",
        "easy": "an easy one, drawn to balance the difficult",
        "random": "one drawn at random",
    }[band]
