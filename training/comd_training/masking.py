"""Which tokens carry loss: the answers and the stop token after each (eq. 3), nothing else.

The spans are found in the *text* that the processor's chat template renders, then carried over to
tokens through the tokenizer's offsets. So any family of vision-language models will do whose
processor has a chat template: nothing here knows what a LLaVA is.

Where the template marks the assistant's words (`{% generation %}`), its marks say where an answer
begins; elsewhere the conversation is rendered up to each question with the generation prompt, which
is what the model will have in front of it when it must answer. Either way the span must hold the
answer and end with a stop token, and that is verified, not assumed.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from comd_training.examples import Dialogue
from comd_training.failures import ConfigurationError, TrainingDataError

IGNORED = -100

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a rendered dialogue that one turn's answer and stop token fill."""

    instruction_key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A dialogue as text, image placeholders not yet expanded, with its answers in order."""

    text: str
    spans: tuple[Span, ...]


def chat_messages(dialogue: Dialogue) -> list[Message]:
    """The conversation as chat templates take it; the picture before or after the first question."""
    messages: list[Message] = []
    for number, turn in enumerate(dialogue.turns):
        content: list[dict[str, str]] = [{"type": "text", "text": turn.question}]
        if number == 0 and dialogue.image is not None:
            content.insert(0 if dialogue.image_position == "before" else 1, {"type": "image"})
        messages.append({"role": "user", "content": content})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": turn.answer}]})
    return messages


def stop_tokens(tokenizer: Any, generation_config: Any = None) -> frozenset[str]:
    """The tokens on which generation ends: the tokenizer's, and those of the generation config.

    Raises ConfigurationError where there are none.
    """
    found = {tokenizer.eos_token} if tokenizer.eos_token else set()
    ids = getattr(generation_config, "eos_token_id", None)
    if ids is not None:
        ids = [ids] if isinstance(ids, int) else list(ids)
        found |= {str(token) for token in tokenizer.convert_ids_to_tokens(ids) if token}
    if not found:
        raise ConfigurationError("the tokenizer has no end-of-sequence token to stop on")
    return frozenset(found)


def render(processor: Any, dialogue: Dialogue, stops: frozenset[str]) -> Rendered:
    """The dialogue through the chat template, and where its answers stand.

    Raises TrainingDataError, naming the instruction, where an answer is blank or does not come back
    from the template; ConfigurationError where the template puts no stop token after answers.
    """
    messages = chat_messages(dialogue)
    template = chat_template_of(processor)
    if re.search(r"\{%-?\s*generation\s*-?%\}", template):
        text, starts = _marked_starts(processor, template, messages)
    else:
        text, starts = _prompt_starts(processor, messages)
    keys = tuple(turn.instruction_key for turn in dialogue.turns)
    if len(starts) != len(dialogue.turns):
        raise TrainingDataError(
            f"dialogue {dialogue.dialogue}: the chat template shows {len(starts)} answers "
            f"of {len(dialogue.turns)}",
            keys,
        )
    limits = [*starts[1:], len(text)]
    spans = [
        _span(text, start, limit, turn.instruction_key, turn.answer.strip(), stops)
        for turn, start, limit in zip(dialogue.turns, starts, limits, strict=True)
    ]
    return Rendered(text, tuple(spans))


def token_labels(
    rendered: Rendered,
    input_ids: Sequence[int],
    offsets: Sequence[tuple[int, int]],
    expansions: Sequence[dict[str, Any]],
    stop_ids: frozenset[int] | None,
) -> list[int]:
    """Labels (T,) for a rendered dialogue's tokens (T,): the token itself in an answer, or -100.

    offsets: characters [start, end) of each token in the expanded text; empty for added tokens.
    expansions: where image placeholders were replaced (`span` in the rendered text, `new_span`).
    stop_ids: what every span must end with; None: spans hold an answer and no stop token.
    Raises TrainingDataError naming the instruction whose span does not end with a stop token or
    holds nothing before it: cut off, or tokenised away.
    """
    ends = [expansion["span"][1] for expansion in expansions]
    gained = [0, *(e["new_span"][1] - e["span"][1] for e in expansions)]
    token_ends = [end for _, end in offsets]
    labels = [IGNORED] * len(input_ids)
    for span in rendered.spans:
        shift = gained[bisect.bisect_right(ends, span.start)]
        start, end = span.start + shift, span.end + shift
        answer = [
            position
            for position in range(_first_after(token_ends, start), len(offsets))
            if offsets[position][0] < end and offsets[position][1] > start
        ]
        if stop_ids is not None and (not answer or input_ids[answer[-1]] not in stop_ids):
            raise TrainingDataError(
                f"instruction {span.instruction_key}: its answer is cut off before the stop token",
                (span.instruction_key,),
            )
        if len(answer) < (1 if stop_ids is None else 2):
            raise TrainingDataError(
                f"instruction {span.instruction_key}: its answer has no tokens",
                (span.instruction_key,),
            )
        for position in answer:
            labels[position] = input_ids[position]
    return labels


def _first_after(token_ends: list[int], start: int) -> int:
    # Added and padding tokens have offsets (0, 0), in front or behind: search only where sorted.
    low = 0
    while low < len(token_ends) and token_ends[low] <= start:
        low += 1
    return low


def chat_template_of(processor: Any) -> str:
    template = processor.chat_template
    if template is None:
        template = getattr(processor.tokenizer, "chat_template", None)
    if isinstance(template, dict):
        template = template.get("default")
    if not isinstance(template, str):
        raise ConfigurationError(
            "the model's processor has no chat template; name one with chat_template"
        )
    return template


def _marked_starts(processor: Any, template: str, messages: list[Message]) -> tuple[str, list[int]]:
    from transformers.utils.chat_template_utils import render_jinja_template

    texts, marks = cast(
        "tuple[list[str], list[list[tuple[int, int]]]]",
        render_jinja_template(
            conversations=[messages],
            chat_template=template,
            return_assistant_tokens_mask=True,
            **processor.tokenizer.special_tokens_map,
        ),
    )
    return texts[0], [start for start, _ in marks[0]]


def _prompt_starts(processor: Any, messages: list[Message]) -> tuple[str, list[int]]:
    text = str(processor.apply_chat_template(messages))
    starts = []
    for asked in range(1, len(messages), 2):
        prompt = str(processor.apply_chat_template(messages[:asked], add_generation_prompt=True))
        if not text.startswith(prompt):
            raise ConfigurationError(
                "the chat template renders a finished dialogue differently from the prompt that "
                f"leads to it (turn {asked // 2 + 1}), so answers cannot be told from prompts; "
                "name another with chat_template"
            )
        starts.append(len(prompt))
    return text, starts


def _span(text: str, start: int, limit: int, key: str, answer: str, stops: frozenset[str]) -> Span:
    if not answer:
        raise TrainingDataError(f"instruction {key}: its answer is blank", (key,))
    at = text.find(answer, start, limit)
    if at < 0:
        raise TrainingDataError(
            f"instruction {key}: the chat template does not give its answer back unchanged", (key,)
        )
    stop = re.compile(r"\s*(?:" + "|".join(map(re.escape, sorted(stops))) + ")")
    found = stop.match(text, at + len(answer))
    if found is None:
        raise ConfigurationError(
            f"the chat template puts no stop token ({', '.join(sorted(stops))}) after answers, so "
            "the student would never learn to stop; name another with chat_template "
            "(vicuna_v1 is LLaVA-1's)"
        )
    return Span(key, start, found.end())
