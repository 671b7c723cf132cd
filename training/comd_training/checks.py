"""What can be known to be wrong with a training set before the first step, all of it at once.

A record that cannot be learned from should not end a training hours in. Text is looked at for every
dialogue; only those that may come near `max_length` are tokenised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from comd_training.examples import Dialogue, Turn
from comd_training.failures import TrainingDataError

if TYPE_CHECKING:
    from comd_training.collate import Collator

SHOWN = 5


def check_dialogues(dialogues: Sequence[Dialogue], collator: Collator) -> None:
    """Raises one TrainingDataError that names every instruction found wanting.

    Wanting: a blank answer, a control token spelled out in question or answer (it would be read as
    the token itself), a picture that is not there, more text than `max_length` holds.
    """
    control = control_tokens(collator.processor)
    problems: list[tuple[str, str]] = []
    for dialogue in dialogues:
        problems += _text_problems(dialogue, control)
        if dialogue.image is not None and not (collator.image_root / dialogue.image).is_file():
            missing = collator.image_root / dialogue.image
            problems += [(t.instruction_key, f"no picture at {missing}") for t in dialogue.turns]
    if not problems:
        problems = [p for dialogue in dialogues for p in _length_problems(dialogue, collator)]
    if problems:
        shown = "; ".join(f"{key}: {why}" for key, why in problems[:SHOWN])
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise TrainingDataError(
            f"{len(problems)} instructions cannot be learned from: {shown}{more}",
            tuple(dict.fromkeys(key for key, _ in problems)),
        )


def control_tokens(processor: Any) -> re.Pattern[str]:
    """Matches every special token of the tokenizer, the image placeholder among them."""
    found = set(processor.tokenizer.all_special_tokens)
    image = getattr(processor, "image_token", None)
    if isinstance(image, str):
        found.add(image)
    return re.compile("|".join(re.escape(token) for token in sorted(found)))


def _text_problems(dialogue: Dialogue, control: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for turn in dialogue.turns:
        if not turn.answer.strip():
            yield turn.instruction_key, "its answer is blank"
        elif found := _control(turn, control):
            yield turn.instruction_key, f"its text spells the control token {found}"


def _control(turn: Turn, control: re.Pattern[str]) -> str | None:
    found = control.search(turn.question) or control.search(turn.answer)
    return found.group() if found else None


def _length_problems(dialogue: Dialogue, collator: Collator) -> Iterator[tuple[str, str]]:
    """Where the text alone is too long; a picture's tokens are counted in the collator."""
    rendered = collator.render(dialogue)
    # No tokenizer makes more tokens than there are bytes, so short texts need no tokenising.
    if len(rendered.text.encode()) <= collator.max_length:
        return
    encoded = collator.processor.tokenizer(rendered.text, return_offsets_mapping=True)
    if len(encoded["input_ids"]) <= collator.max_length:
        return
    cut = encoded["offset_mapping"][collator.max_length][0]
    for span in rendered.spans:
        if span.end > cut:
            yield (
                span.instruction_key,
                f"its answer ends past max_length {collator.max_length} of dialogue "
                f"{dialogue.dialogue}",
            )
