"""The likelihood of given continuations, from a server that tells what it makes of a prompt.

vLLM gives the log-probability of every token of a prompt (`prompt_logprobs`), an answer begun by
us included. Prompt alone and prompt with continuation are asked about, and their common start taken
off, since a tokenizer may join the continuation's first letters with what is before them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from comd_platform.config.engines import OpenAIConfig
from comd_workers.engines.base import ContinuationScore, Request, Sampling
from comd_workers.engines.openai.messages import body

# A server has to say something: one token, greedily.
_SHORTEST = Sampling(max_new_tokens=1)

Token = tuple[str, float]
"""An id of the vocabulary, and its log-probability given all before it, in nats."""


async def score_continuations(
    config: OpenAIConfig,
    request: Request,
    continuations: Sequence[str],
    image_urls: Sequence[str],
    ask: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]],
) -> tuple[ContinuationScore, ...]:
    """One score a continuation, in the order given; each distinct one is asked about once.

    Raises what `ask` raises; KeyError, TypeError or ValueError where a reply holds no such thing.
    """
    found = {"": ContinuationScore(0.0, 0)}
    wanted = [text for text in dict.fromkeys(continuations) if text]
    if wanted:
        prompt = prompt_tokens(await ask(_body(config, request, None, image_urls)))
        for text in wanted:
            whole = prompt_tokens(await ask(_body(config, request, text, image_urls)))
            found[text] = continuation_score(prompt, whole)
    return tuple(found[text] for text in continuations)


def prompt_tokens(reply: dict[str, Any]) -> list[Token | None]:
    """The prompt's tokens; None for the first, which nothing is before.

    Raises KeyError, TypeError or ValueError where the reply does not tell them.
    """
    tokens: list[Token | None] = []
    for entry in reply["prompt_logprobs"]:
        if entry is None:
            tokens.append(None)
            continue
        [(token, told)] = entry.items()  # 0 alternatives were asked for
        tokens.append((token, float(told["logprob"])))
    return tokens


def continuation_score(
    prompt: Sequence[Token | None], whole: Sequence[Token | None]
) -> ContinuationScore:
    """What `whole` has after the start that it shares with `prompt`."""
    pairs = zip(prompt, whole, strict=False)
    same = ((a is None and b is None) or (a and b and a[0] == b[0]) for a, b in pairs)
    shared = next((place for place, equal in enumerate(same) if not equal), None)
    start = min(len(prompt), len(whole)) if shared is None else shared
    rest = [token[1] for token in whole[start:] if token is not None]
    return ContinuationScore(logprob=sum(rest), tokens=len(rest))


def _body(
    config: OpenAIConfig, request: Request, continuation: str | None, image_urls: Sequence[str]
) -> dict[str, Any]:
    asked = body(config, request, _SHORTEST, image_urls) | {"prompt_logprobs": 0}
    if continuation is not None:
        asked["messages"].append({"role": "assistant", "content": continuation})
        asked |= {"add_generation_prompt": False, "continue_final_message": True}
    return asked
