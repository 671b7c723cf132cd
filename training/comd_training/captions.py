"""Stage 1's text: the picture, its caption, a newline; only the caption carries loss (section 3.2).

No system sentence, no roles: a projector learns what a picture is called, not how to converse. The
checkpoint keeps the processor's own chat template for that.
"""

from __future__ import annotations

from typing import Any

from comd_training.examples import Dialogue
from comd_training.failures import ConfigurationError
from comd_training.masking import Rendered, Span


def render_caption(processor: Any, dialogue: Dialogue) -> Rendered:
    """`dialogue`'s only answer after its picture. Raises ConfigurationError (see `picture_text`)."""
    (turn,) = dialogue.turns
    picture = picture_text(processor)
    caption = turn.answer.strip()
    end = len(picture) + len(caption)
    return Rendered(f"{picture}{caption}\n", (Span(turn.instruction_key, len(picture), end),))


def picture_text(processor: Any) -> str:
    """What stands for a picture in this family's text: "<image>" for LLaVA, with marks around it
    for Qwen-VL. It is what the chat template adds for one, so no family is known by name.

    Raises ConfigurationError where the processor names no image token, or the template adds none.
    """
    token = getattr(processor, "image_token", None)
    if not isinstance(token, str):
        raise ConfigurationError(f"{type(processor).__name__} names no image token")
    with_picture = _asked(processor, [{"type": "image"}, {"type": "text", "text": "X"}])
    without = _asked(processor, [{"type": "text", "text": "X"}])
    start = next(
        (at for at, (a, b) in enumerate(zip(with_picture, without, strict=False)) if a != b),
        len(without),
    )
    added = with_picture[start : start + len(with_picture) - len(without)].strip()
    if token not in added:
        raise ConfigurationError(
            f"the chat template adds {added!r} for a picture, without the image token {token}; "
            "name another with chat_template"
        )
    return added


def _asked(processor: Any, content: list[dict[str, str]]) -> str:
    return str(processor.apply_chat_template([{"role": "user", "content": content}]))
