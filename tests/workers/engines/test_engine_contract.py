"""One suite for every engine: what base.py promises, whatever answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comd_platform.config.engines import (
    EngineConfig,
    HfConfig,
    OpenAIConfig,
    ScriptedConfig,
    VllmConfig,
)
from comd_workers.engines.base import (
    Completion,
    Engine,
    EngineError,
    LogitsRequest,
    Request,
    Sampling,
    ScoreRequest,
)
from comd_workers.engines.registry import ENGINES, open_engine

KINDS = ("hf", "openai", "vllm", "scripted")
SAMPLED = Sampling(temperature=1.0, max_new_tokens=6)
GREEDY = Sampling(max_new_tokens=6)


def config_of(kind: str, request: pytest.FixtureRequest) -> EngineConfig:
    if kind == "hf":
        model = str(request.getfixturevalue("tiny_llava"))
        return HfConfig(model=model, device="cpu", batch_size=4)
    if kind == "openai":
        url = request.getfixturevalue("chat_server").base_url
        return OpenAIConfig(
            model="m", base_url=url, api_key_env=None, concurrency=3, backoff_s=0.01
        )
    if kind == "vllm":
        command = request.getfixturevalue("vllm_stub").command
        return VllmConfig(model="m", command=command, concurrency=3, images_per_prompt=2)
    return ScriptedConfig(model="quiz", options={"role": "student"})


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with open_engine(config_of(request.param, request)) as opened:
        yield opened


@pytest.fixture
def requests(pictures: tuple[Path, ...]) -> list[Request]:
    """Nine of every kind: picture before, after, none, two; with and without a system sentence."""
    return [
        Request(
            key=f"key {i}",
            text=f"kaba lodi{' mifu' * i} ?",
            images=((), pictures[i % 8 : i % 8 + 1], pictures[1:3])[min(i % 4, 2)],
            system="reba pofu ." if i % 2 else None,
            image_position="before" if i < 5 else "after",
            seed=i << 40,
        )
        for i in range(9)
    ]


def answers(completions: Iterator[Completion]) -> dict[str, Completion]:
    listed = list(completions)
    by_key = {completion.key: completion for completion in listed}
    assert len(by_key) == len(listed)
    return by_key


def test_every_engine_is_under_contract() -> None:
    assert set(KINDS) == set(ENGINES)


def test_exactly_one_completion_a_request(engine: Engine, requests: list[Request]) -> None:
    got = answers(engine.generate(requests, SAMPLED))
    assert set(got) == {request.key for request in requests}
    for completion in got.values():
        assert completion.error is None
        assert completion.finish_reason in {"stop", "length"}
        assert completion.text.strip()
        assert completion.prompt_tokens > 0
        assert 0 < completion.completion_tokens <= SAMPLED.max_new_tokens


def test_nothing_asked_nothing_said(engine: Engine) -> None:
    assert list(engine.generate([], SAMPLED)) == []


def test_a_doubled_key_is_refused_at_once(engine: Engine, requests: list[Request]) -> None:
    with pytest.raises(ValueError, match="key 3"):
        engine.generate([*requests, requests[3]], SAMPLED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_new_tokens": 0},
        {"stop": ("",)},
    ],
)
def test_impossible_sampling_is_refused_at_once(engine: Engine, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        engine.generate([], Sampling(**wrong))


def test_the_same_again(engine: Engine, requests: list[Request]) -> None:
    first = answers(engine.generate(requests, SAMPLED))
    assert answers(engine.generate(requests, SAMPLED)) == first


def test_neighbours_and_order_change_nothing(engine: Engine, requests: list[Request]) -> None:
    together = answers(engine.generate(requests, SAMPLED))
    shuffled = random.Random(3).sample(requests, len(requests))
    assert answers(engine.generate(shuffled, SAMPLED)) == together
    for request in requests:
        assert answers(engine.generate([request], SAMPLED)) == {request.key: together[request.key]}


def test_the_seed_decides_when_sampling(engine: Engine, requests: list[Request]) -> None:
    def texts(offset: int, sampling: Sampling) -> list[str]:
        reseeded = [
            Request(r.key, r.text, r.images, r.system, r.image_position, r.seed + offset)
            for r in requests
        ]
        got = answers(engine.generate(reseeded, sampling))
        return [got[request.key].text for request in requests]

    assert texts(1, SAMPLED) != texts(2, SAMPLED)
    assert texts(1, GREEDY) == texts(2, GREEDY)


def test_the_picture_and_its_place_matter(engine: Engine, pictures: tuple[Path, ...]) -> None:
    """To the models; the fake does not care where a picture stands."""
    asked = [
        Request(key=f"{i} {place}", text="kaba ?", images=pictures[i : i + 1], image_position=place)
        for i in range(4)
        for place in ("before", "after")
    ]
    got = answers(engine.generate(asked, Sampling(max_new_tokens=12)))
    assert len({got[f"{i} before"].text for i in range(4)}) > 1
    if type(engine).__name__ != "ScriptedEngine":
        assert any(got[f"{i} before"].text != got[f"{i} after"].text for i in range(4))


def test_a_bad_picture_harms_its_own_request_only(
    engine: Engine, requests: list[Request], tmp_path: Path
) -> None:
    gone = Request(key="gone", text="kaba ?", images=(tmp_path / "gone.png",))
    got = answers(engine.generate([requests[1], gone, *requests[2:]], SAMPLED))
    assert got["gone"].finish_reason == "error"
    assert "gone.png" in (got["gone"].error or "")
    assert got["gone"].text == ""
    assert answers(engine.generate(requests[1:], SAMPLED)) == {
        key: completion for key, completion in got.items() if key != "gone"
    }


def test_max_new_tokens_is_kept(engine: Engine, requests: list[Request]) -> None:
    got = answers(engine.generate(requests, Sampling(temperature=1.0, max_new_tokens=2)))
    assert all(completion.completion_tokens <= 2 for completion in got.values())
    assert "length" in {completion.finish_reason for completion in got.values()}


def test_a_stop_string_ends_the_text_before_itself(engine: Engine, requests: list[Request]) -> None:
    whole = answers(engine.generate(requests, GREEDY))
    word = whole["key 0"].text.split()[1]
    got = answers(engine.generate(requests, Sampling(max_new_tokens=6, stop=(word, "never"))))
    for key, completion in got.items():
        assert completion.text.strip() == whole[key].text.split(word)[0].strip()
    assert got["key 0"].finish_reason == "stop"


def test_scores_or_says_that_it_cannot(engine: Engine, requests: list[Request]) -> None:
    asked = [ScoreRequest(request, ("kaba", "lodi mifu", "kaba")) for request in requests]
    if not engine.can_score:
        with pytest.raises(EngineError, match="cannot score"):
            engine.score(asked)
        return
    got = {score.key: score for score in engine.score(asked)}
    assert set(got) == {request.key for request in requests}
    for score in got.values():
        assert score.error is None
        first, second, again = score.continuations
        assert first == again
        assert (first.tokens, second.tokens) == (1, 2)
        assert first.logprob < 0
        assert second.logprob < 0
    with pytest.raises(ValueError, match="key 0"):
        engine.score([asked[0], asked[0]])


def test_tells_logits_or_says_that_it_cannot(engine: Engine, requests: list[Request]) -> None:
    asked = [
        LogitsRequest(request, "lodi mifu" if i else "kaba") for i, request in enumerate(requests)
    ]
    if not engine.can_tell_logits:
        with pytest.raises(EngineError, match="teacher: in_step"):
            engine.logits(asked, 3)
        return
    got = {told.key: told for told in engine.logits(asked, 3)}
    assert set(got) == {request.key for request in requests}
    for request in requests:
        told = got[request.key]
        assert told.error is None
        assert told.logits is not None
        assert len(told.vocabulary) == 64
        # The stop token is told about as well.
        tokens = 2 if request is requests[0] else 3
        assert told.logits.ids.shape == (tokens, 3)
        probabilities = np.exp(told.logits.logprobs.astype(float))
        assert probabilities.sum(axis=1) == pytest.approx(np.ones(tokens), abs=2e-3)
        assert all(len(set(row)) == 3 for row in told.logits.ids.tolist())
    again = {told.key: told for told in engine.logits(asked[::-1], 3)}
    for key, told in got.items():
        other = again[key].logits
        assert told.logits is not None
        assert other is not None
        assert np.array_equal(told.logits.chosen, other.chosen)
        near = other.logprobs.astype(float)
        assert told.logits.logprobs.astype(float) == pytest.approx(near, abs=1e-2)
    with pytest.raises(ValueError, match="key 0"):
        engine.logits([asked[0], asked[0]], 3)
    with pytest.raises(ValueError, match="top_k"):
        engine.logits(asked, 0)


def test_a_bad_picture_has_no_logits(
    engine: Engine, requests: list[Request], tmp_path: Path
) -> None:
    if not engine.can_tell_logits:
        pytest.skip("tells none")
    gone = Request(key="gone", text="kaba ?", images=(tmp_path / "gone.png",))
    asked = [LogitsRequest(gone, "kaba"), LogitsRequest(requests[1], "kaba")]
    got = {told.key: told for told in engine.logits(asked, 2)}
    assert got["gone"].logits is None
    assert "gone.png" in (got["gone"].error or "")
    assert got["key 1"].logits is not None


def test_close_is_final_and_idempotent(engine: Engine, requests: list[Request]) -> None:
    assert len(list(engine.generate(requests[:2], SAMPLED))) == 2
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.generate(requests, SAMPLED)


def test_an_iteration_may_be_abandoned(engine: Engine, requests: list[Request]) -> None:
    running = engine.generate(requests, SAMPLED)
    assert next(running).error is None
    del running
    assert len(list(engine.generate(requests, SAMPLED))) == len(requests)
