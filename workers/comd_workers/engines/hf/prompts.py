"""From requests to a model's inputs, through whatever processor the model brings.

Nothing here knows a model family: the chat template says how a turn is written, the processor how a
picture becomes numbers and how many tokens stand for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from comd_workers.engines.base import EngineError, Request
from comd_workers.engines.pictures import Shelf

_PROBE = "comd"


class PromptError(Exception):
    """A request that cannot be put to this model; concerns that request alone."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request as the chat template writes it, picture placeholders not yet expanded.

    continuation: what follows when its likelihood is asked, `lead` set before it.
    """

    request: Request
    text: str
    continuation: str | None = None
    lead: str = ""

    @property
    def whole(self) -> str:
        return self.text + self.lead + (self.continuation or "")


class Prompter:
    """Renders and encodes for one processor. Raises EngineError if it has no chat template."""

    def __init__(self, processor: Any, stops: Collection[int] = ()) -> None:
        """`stops`: the tokens that end an answer."""
        self.processor = processor
        self.tokenizer = processor.tokenizer
        templates = (getattr(part, "chat_template", None) for part in (processor, self.tokenizer))
        if not any(templates):
            raise EngineError(
                f"{type(processor).__name__} has no chat template; "
                "put a chat_template.jinja beside the weights"
            )
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self._image_token: str | None = getattr(processor, "image_token", None)
        self._shelf = Shelf()
        self._bos: str | None = self.tokenizer.bos_token
        self._answer_lead, after = self._probe_answer()
        self._answer_tail = self._up_to_stop(after, stops)

    def render(self, request: Request) -> Prompt:
        """The conversation up to where the assistant speaks. Raises PromptError."""
        said = (request.text, request.system or "")
        if self._image_token and any(self._image_token in text for text in said):
            raise PromptError(f"the text contains the model's picture token {self._image_token!r}")
        return Prompt(request, self._render(_conversation(request)))

    def continued(self, prompt: Prompt, continuation: str) -> Prompt:
        """The prompt and an answer as the template would set it, its stop token left off."""
        return replace(prompt, continuation=continuation, lead=self._answer_lead)

    def answered(self, prompt: Prompt, answer: str) -> Prompt:
        """The prompt and an answer as the template sets both, with the stop token that ends it."""
        return replace(prompt, continuation=answer + self._answer_tail, lead=self._answer_lead)

    def continuation_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        """How many tokens each continuation has where it stands.

        Prompt and whole are tokenised and their common start taken off, because a tokenizer may
        join the continuation's first letters with what is before them, as it did in training.
        """
        before = self._ids([prompt.text for prompt in prompts])
        whole = self._ids([prompt.whole for prompt in prompts])
        return [len(b) - _common_start(a, b) for a, b in zip(before, whole, strict=True)]

    def encode(self, prompts: Sequence[Prompt]) -> Any:
        """A BatchFeature, left-padded: `input_ids` (B, T), `attention_mask` (B, T), and what else
        this processor gives (pixel values, sizes). Every prompt has the same number of pictures.

        Raises PictureError or PromptError; with several prompts it does not say which is to blame.
        """
        pictures = [
            [self._shelf.load_rgb(path) for path in prompt.request.images] for prompt in prompts
        ]
        texts = [prompt.whole for prompt in prompts]
        try:
            return self.processor(
                images=pictures if any(pictures) else None,
                text=texts,
                padding=True,
                return_tensors="pt",
                # All rows are written by one template: either all start with it or none does.
                add_special_tokens=self._adds_special_tokens(texts[0]),
            )
        except (ValueError, TypeError, IndexError, KeyError) as error:
            raise PromptError(f"the processor refused the prompt: {error}") from error

    def decode(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        decoded: list[str] = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return decoded

    def _render(self, conversation: list[dict[str, Any]]) -> str:
        try:
            text: str = self.processor.apply_chat_template(
                conversation, add_generation_prompt=True, tokenize=False
            )
        # Templates raise whatever they like: TemplateError, TypeError, KeyError.
        except Exception as error:
            raise PromptError(f"the chat template refused the request: {error}") from error
        return text

    def _probe_answer(self) -> tuple[str, str]:
        """What the template sets between the generation prompt and an answer, often one space; and
        what after the answer."""
        turn = _conversation(Request(key="", text=_PROBE))
        reply = {"role": "assistant", "content": [{"type": "text", "text": _PROBE}]}
        try:
            open_end: str = self.processor.apply_chat_template(
                turn, add_generation_prompt=True, tokenize=False
            )
            answered: str = self.processor.apply_chat_template([*turn, reply], tokenize=False)
        except Exception as error:
            raise EngineError(
                f"the chat template cannot write a plain question and answer: {error}"
            ) from error
        lead, found, after = answered.removeprefix(open_end).partition(_PROBE)
        return (lead, after) if found and answered.startswith(open_end) else ("", "")

    def _up_to_stop(self, after: str, stops: Collection[int]) -> str:
        """The template's text after an answer up to its first stop token, with it; where there is none,
        the tokenizer's own, which is what a model says then."""
        known = [token for token in self.tokenizer.convert_ids_to_tokens(sorted(stops)) if token]
        places = {after.find(token): token for token in known if token in after}
        if not places:
            return str(self.tokenizer.eos_token or "")
        first = min(places)
        return after[: first + len(places[first])]

    def _adds_special_tokens(self, text: str) -> bool:
        return not (self._bos and text.startswith(self._bos))

    def _ids(self, texts: list[str]) -> list[list[int]]:
        encoded = self.tokenizer(texts, add_special_tokens=self._adds_special_tokens(texts[0]))
        ids: list[list[int]] = encoded["input_ids"]
        return ids


def _conversation(request: Request) -> list[dict[str, Any]]:
    """Eq. 2: the picture stands before or after the question in the user's turn."""
    text = [{"type": "text", "text": request.text}]
    images = [{"type": "image"}] * len(request.images)
    content = images + text if request.image_position == "before" else text + images
    turns: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if request.system is not None:
        turns.insert(0, {"role": "system", "content": [{"type": "text", "text": request.system}]})
    return turns


def _common_start(first: list[int], second: list[int]) -> int:
    """The number of leading tokens that two sequences share."""
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
