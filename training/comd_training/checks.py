"""What can be known to be wrong with a training set before the first step, all of it at once.

A record that cannot be learned from should not end a training hours in. Text is looked at for every
dialogue; only those that may come near `max_length` are tokenised, and few pictures are opened.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from comd_training.examples import Dialogue, Turn
from comd_training.failures import TrainingDataError

if TYPE_CHECKING:
    from comd_training.collate import Collator
    from comd_training.tokens import TokenisedDialogues

SHOWN = 5
MEASURED = 16

logger = logging.getLogger(__name__)


def check_dialogues(dialogues: Sequence[Dialogue], collator: Collator) -> None:
    """Raises one TrainingDataError that names every instruction found wanting.

    Wanting: a blank answer, a control token spelled out in question or answer (it would be read as
    the token itself), a picture that is not there, more text than `max_length` holds.
    """
    control = control_tokens(collator.processor)
    problems: list[tuple[str, str]] = []
    _warn_where_pictures_move(dialogues, collator)
    for dialogue in dialogues:
        problems += text_problems(dialogue, control)
        if dialogue.image is not None and not (collator.image_root / dialogue.image).is_file():
            problems += _no_picture(dialogue, collator)
    if not problems:
        picture = picture_tokens(dialogues, collator)
        problems = [p for d in dialogues for p in _length_problems(d, collator, picture)]
    refuse(problems)


def check_tokenised(dialogues: TokenisedDialogues, collator: Collator) -> int:
    """What `check_dialogues` does, for a cache that has looked at texts as it was built: pictures are
    looked for, and lengths are known.

    Returns what `picture_tokens` does. Raises TrainingDataError as `check_dialogues` does.
    """
    _warn_where_pictures_move(dialogues, collator)
    missing = {name for name in dialogues.images() if not (collator.image_root / name).is_file()}
    if missing:
        refuse(
            [
                problem
                for dialogue in dialogues
                if dialogue.image in missing
                for problem in _no_picture(dialogue, collator)
            ]
        )
    picture = picture_tokens(dialogues, collator)
    long = np.flatnonzero(
        dialogues.lengths + picture * dialogues.has_picture() > collator.max_length
    )
    refuse([p for row in long for p in _length_problems(dialogues[int(row)], collator, picture)])
    return picture


def refuse(problems: Sequence[tuple[str, str]]) -> None:
    """Raises one TrainingDataError for (instruction, what is wrong with it); nothing for none."""
    if not problems:
        return
    shown = "; ".join(f"{key}: {why}" for key, why in problems[:SHOWN])
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    raise TrainingDataError(
        f"{len(problems)} instructions cannot be learned from: {shown}{more}",
        tuple(dict.fromkeys(key for key, _ in problems)),
    )


def _no_picture(dialogue: Dialogue, collator: Collator) -> list[tuple[str, str]]:
    missing = collator.image_root / str(dialogue.image)
    return [(turn.instruction_key, f"no picture at {missing}") for turn in dialogue.turns]


def control_tokens(processor: Any) -> re.Pattern[str]:
    """Matches every special token of the tokenizer, the image placeholder among them."""
    found = set(processor.tokenizer.all_special_tokens)
    image = getattr(processor, "image_token", None)
    if isinstance(image, str):
        found.add(image)
    return re.compile("|".join(re.escape(token) for token in sorted(found)))


def _warn_where_pictures_move(dialogues: Sequence[Dialogue], collator: Collator) -> None:
    """Some templates put every picture first; then the random position (eq. 2) is lost."""
    after = (d for d in dialogues if d.image is not None and d.image_position == "after")
    dialogue = next(after, None)
    image = getattr(collator.processor, "image_token", None)
    if dialogue is None or not isinstance(image, str) or not dialogue.turns[0].answer.strip():
        return
    before, found, _ = collator.render(dialogue).text.partition(image)
    if found and dialogue.turns[0].question.strip() not in before:
        logger.warning(
            "the chat template puts pictures before the question where they were to stand after "
            "it; chat_template can name one that keeps their place (vicuna_v1 does)"
        )


def text_problems(dialogue: Dialogue, control: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Answers that are blank, and texts that spell a control token."""
    for turn in dialogue.turns:
        if not turn.answer.strip():
            yield turn.instruction_key, "its answer is blank"
        elif found := _control(turn, control):
            yield turn.instruction_key, f"its text spells the control token {found}"


def _control(turn: Turn, control: re.Pattern[str]) -> str | None:
    found = control.search(turn.question) or control.search(turn.answer)
    return found.group() if found else None


def picture_tokens(dialogues: Sequence[Dialogue], collator: Collator) -> int:
    """Tokens a picture takes beyond its placeholder, where every picture takes as many; else 0.

    Measured on a few pictures. Where those are all of one size, or take different numbers, nothing
    is assumed about the others: they are counted one by one as they are learned.
    """
    pictured = list(islice((d for d in dialogues if d.image is not None), MEASURED))
    sizes = {collator.picture(d).size for d in pictured}
    if len(sizes) < 2:
        return 0
    grown = {collator.expansion(dialogue) for dialogue in pictured}
    return grown.pop() if len(grown) == 1 else 0


def _length_problems(
    dialogue: Dialogue, collator: Collator, picture: int
) -> Iterator[tuple[str, str]]:
    rendered = collator.render(dialogue)
    room = collator.max_length - (picture if dialogue.image is not None else 0)
    # No tokenizer makes more tokens than there are bytes, so short texts need no tokenising.
    if len(rendered.text.encode()) <= room:
        return
    encoded = collator.tokens(rendered.text)
    if len(encoded["input_ids"]) <= room:
        return
    cut = encoded["offset_mapping"][max(room, 0)][0]
    for span in rendered.spans:
        if span.end > cut:
            yield (
                span.instruction_key,
                f"its answer ends past max_length {collator.max_length} of dialogue "
                f"{dialogue.dialogue}",
            )
