"""A request as a chat-completions body, and a reply as a completion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comd_platform.config.engines import OpenAIConfig
from comd_workers.engines.base import Completion, FinishReason, Request, Sampling
from comd_workers.engines.openai.encoding import Verbatim
from comd_workers.engines.shared import cut_at_stop, failed

# Servers hold the seed in anything from 32 to 64 bits; 31 fit all of them.
_SEED_BITS = 31

_FINISH: dict[str | None, FinishReason] = {
    "length": "length",
    "content_filter": "content_filter",
}


def body(
    config: OpenAIConfig, request: Request, sampling: Sampling, image_urls: Sequence[str]
) -> dict[str, Any]:
    """The body that asks `request`, for `encoding.encoded`; `config.extra_body` goes over it, its
    nulls remove."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": _content(request, image_urls)}]
    if request.system is not None:
        messages.insert(0, {"role": "system", "content": request.system})
    fields: dict[str, Any] = {
        "model": config.model,
        "messages": messages,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_new_tokens,
        "seed": request.seed % 2**_SEED_BITS,
    }
    if sampling.top_p < 1:
        fields["top_p"] = sampling.top_p
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    fields.update(config.extra_body)
    return {name: value for name, value in fields.items() if value is not None}


def completion(
    config: OpenAIConfig, request: Request, sampling: Sampling, reply: dict[str, Any]
) -> Completion:
    """What the server said; a reply without an answer is this request's error.

    Raises KeyError, TypeError or AttributeError when `reply` is no chat completion.
    """
    if not reply["choices"]:
        return failed(request.key, "the server's reply has no choices")
    choice = reply["choices"][0]
    message = choice["message"]
    # Servers that ignore `stop`, or know only its first four, are cut here.
    text, stopped = cut_at_stop(_text(message.get("content")), sampling.stop)
    prompt_tokens, cached_tokens, completion_tokens = _tokens(reply.get("usage") or {})
    if message.get("refusal") and not text:
        text, finish = message["refusal"], _FINISH["content_filter"]
    else:
        finish = "stop" if stopped else _FINISH.get(choice.get("finish_reason"), "stop")
    return Completion(
        key=request.key,
        text=text,
        finish_reason=finish,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cached_tokens=cached_tokens,
        cost=config.prices.cost(prompt_tokens, cached_tokens, completion_tokens)
        if config.prices
        else None,
    )


def _tokens(usage: dict[str, Any]) -> tuple[int, int, int]:
    """(of the prompt, of these read before, of the answer); 0 where the server does not say."""
    prompt = usage.get("prompt_tokens") or 0
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return prompt, min(cached, prompt), usage.get("completion_tokens") or 0


def _content(request: Request, image_urls: Sequence[str]) -> str | list[dict[str, Any]]:
    """Eq. 2: the picture before or after the question; plain text where there is none."""
    if not image_urls:
        return request.text
    images = [{"type": "image_url", "image_url": {"url": Verbatim(url)}} for url in image_urls]
    text = [{"type": "text", "text": request.text}]
    return [*images, *text] if request.image_position == "before" else [*text, *images]


def _text(content: str | list[dict[str, Any]] | None) -> str:
    if isinstance(content, list):  # some servers answer in parts
        return "".join(part.get("text") or "" for part in content)
    return content or ""
