"""The openai engine: what is sent, what is tried again, what is given up, what stays secret."""

from __future__ import annotations

import base64
import io
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from comd_platform.config.engines import OpenAIConfig
from comd_workers.engines.base import (
    Completion,
    ContinuationScore,
    EngineError,
    Request,
    Sampling,
    ScoreRequest,
)
from comd_workers.engines.openai import OpenAIEngine, open_engine
from comd_workers.engines.openai.client import retry_after
from comd_workers.engines.openai.scoring import continuation_score

KEY = "sk-verysecret-0123456789"
SAMPLING = Sampling(temperature=0.5, top_p=0.9, max_new_tokens=20, stop=("###",))
HELLO = Request(key="hello", text="kaba lodi ?", seed=2**62 + 3)


def opened(server: Any, **changes: Any) -> OpenAIEngine:
    fields = {"model": "m", "base_url": server.base_url, "api_key_env": None, "backoff_s": 0.01}
    return open_engine(OpenAIConfig(**(fields | changes)))


def ask(server: Any, *requests: Request, **changes: Any) -> dict[str, Completion]:
    with opened(server, **changes) as engine:
        return {c.key: c for c in engine.generate(requests or [HELLO], SAMPLING)}


def refusal(status: int, message: str = "no", code: str | None = None, **headers: str) -> Any:
    return status, headers, json.dumps({"error": {"message": message, "code": code}})


def replying(**message: Any) -> Any:
    finish = message.pop("finish_reason", "stop")
    return 200, {}, json.dumps({"choices": [{"message": message, "finish_reason": finish}]})


def test_what_is_sent(chat_server: Any, pictures: tuple[Path, ...]) -> None:
    request = Request("a", "kaba ?", pictures[:1], system="reba .", seed=2**62 + 3)
    ask(chat_server, request, extra_body={"repetition_penalty": 1.1, "seed": None})
    (body,) = chat_server.bodies
    url = body["messages"][1]["content"][0]["image_url"]["url"]
    assert base64.b64decode(url.removeprefix("data:image/png;base64,")) == pictures[0].read_bytes()
    body["messages"][1]["content"][0]["image_url"]["url"] = "..."
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "reba ."},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "..."}},
                    {"type": "text", "text": "kaba ?"},
                ],
            },
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 20,
        "stop": ["###"],
        "repetition_penalty": 1.1,
    }
    assert "Authorization" not in chat_server.headers[0]


def test_the_seed_fits_every_server(chat_server: Any) -> None:
    ask(chat_server)
    assert chat_server.bodies[0]["seed"] == (2**62 + 3) % 2**31


def test_a_picture_after_the_text_as_a_file(chat_server: Any, pictures: tuple[Path, ...]) -> None:
    request = Request("a", "kaba ?", pictures[:1], image_position="after")
    ask(chat_server, request, image_transport="file_url")
    assert chat_server.bodies[0]["messages"][0]["content"] == [
        {"type": "text", "text": "kaba ?"},
        {"type": "image_url", "image_url": {"url": pictures[0].as_uri()}},
    ]


def test_large_pictures_are_shrunk(chat_server: Any, tmp_path: Path) -> None:
    Image.new("RGB", (400, 100), "red").save(tmp_path / "wide.jpg")
    ask(chat_server, Request("a", "?", (tmp_path / "wide.jpg",)), max_image_side=80)
    url = chat_server.bodies[0]["messages"][0]["content"][0]["image_url"]["url"]
    sent = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
    assert sent.size == (80, 20)


def test_no_more_in_flight_than_allowed(chat_server: Any) -> None:
    chat_server.delay_s = 0.02
    requests = [Request(str(i), f"kaba {i}") for i in range(24)]
    assert len(ask(chat_server, *requests, concurrency=4)) == 24
    assert 2 <= chat_server.most_in_flight <= 4


def test_two_threads_share_the_places(chat_server: Any) -> None:
    chat_server.delay_s = 0.02
    with opened(chat_server, concurrency=4) as engine, ThreadPoolExecutor() as threads:
        halves = [[Request(f"{n}/{i}", f"kaba {n} {i}") for i in range(12)] for n in "ab"]
        told = list(threads.map(lambda half: list(engine.generate(half, SAMPLING)), halves))
    for half, completions in zip(halves, told, strict=True):
        assert {each.key for each in completions} == {each.key for each in half}
        assert not any(each.error for each in completions)
    assert 2 <= chat_server.most_in_flight <= 4


def test_what_ends_one_call_ends_the_others_without_a_request(chat_server: Any) -> None:
    chat_server.delay_s = 0.3
    chat_server.misbehave = lambda text, before: refusal(404, "gone") if text == "wrong" else None
    with opened(chat_server, concurrency=4) as engine, ThreadPoolExecutor() as threads:

        def ask_for(text: str) -> list[Completion]:
            return list(engine.generate([Request(text, text), HELLO], SAMPLING))

        calls = [threads.submit(ask_for, "wrong")]
        while not chat_server.arrivals:
            time.sleep(0.01)
        calls += [threads.submit(ask_for, "right") for _ in range(3)]
        for call in calls:
            with pytest.raises(EngineError, match="gone"):
                call.result(60)
        assert len(chat_server.arrivals) == 1
        assert len(ask_for("later")) == 2  # nobody is left to be told


def test_closing_ends_a_call_of_another_thread(chat_server: Any) -> None:
    chat_server.delay_s = 30.0
    with ThreadPoolExecutor() as threads:
        engine = opened(chat_server)
        asked = threads.submit(lambda: list(engine.generate([HELLO], SAMPLING)))
        while not chat_server.arrivals:
            time.sleep(0.01)
        later = engine.generate([HELLO], SAMPLING)  # asked for before, begun after the end
        engine.close()
        with pytest.raises(EngineError, match="closed while it was asked"):
            asked.result(60)
        with pytest.raises(EngineError, match="is closed"):
            next(later)


def test_completions_come_as_they_finish(chat_server: Any) -> None:
    def slow_first(text: str, before: int) -> None:
        if text == "slow":
            time.sleep(0.3)

    chat_server.misbehave = slow_first
    with opened(chat_server) as engine:
        first = Request("first", "kaba")  # alone: see pace.py
        running = engine.generate([first, Request("slow", "slow"), HELLO], SAMPLING)
        assert [completion.key for completion in running] == ["first", "hello", "slow"]


@pytest.mark.parametrize(
    "trouble",
    [
        refusal(500),
        refusal(503),
        refusal(429),
        refusal(408),
        "cut",
        (200, {}, "<html>a proxy's page</html>"),
        (200, {}, "[1, 2]"),
        (502, {}, "bad gateway"),
    ],
    ids=["500", "503", "429", "408", "cut", "not JSON", "not an object", "502"],
)
def test_what_may_pass_is_tried_again(chat_server: Any, trouble: Any) -> None:
    chat_server.misbehave = lambda text, before: trouble if before < 2 else None
    completion = ask(chat_server)["hello"]
    assert completion.error is None
    assert len(chat_server.bodies) == 3


@pytest.mark.parametrize("trouble", [refusal(500, "out of order"), "cut"], ids=["500", "cut"])
def test_trouble_that_stays_is_the_requests_error(chat_server: Any, trouble: Any) -> None:
    chat_server.misbehave = lambda text, before: trouble if text == "bad" else None
    got = ask(chat_server, Request("bad", "bad"), HELLO, max_retries=2)
    assert got["bad"].finish_reason == "error"
    assert "3 attempts" in (got["bad"].error or "")
    assert got["hello"].error is None
    assert len(chat_server.bodies) == 4


def test_a_server_that_is_too_slow(chat_server: Any) -> None:
    chat_server.misbehave = lambda text, before: time.sleep(0.0 if before else 0.5)
    completion = ask(chat_server, timeout_s=0.2)["hello"]
    assert completion.error is None
    assert len(chat_server.bodies) == 2


def test_retry_after_holds_everyone_back(chat_server: Any) -> None:
    limited = refusal(429, **{"Retry-After": "0.4"})
    chat_server.misbehave = lambda text, before: limited if text == "first" and not before else None
    got = ask(chat_server, Request("first", "first"), HELLO, concurrency=1)
    assert all(completion.error is None for completion in got.values())
    first, again, other = chat_server.arrivals
    assert again - first >= 0.4
    assert other >= again


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("7") == 7
    assert retry_after("-3") == 0
    assert retry_after(formatdate(time.time() + 30, usegmt=True)) == pytest.approx(30, abs=2)
    assert retry_after("soon") is None
    assert retry_after(None) is None


@pytest.mark.parametrize(
    "trouble",
    [
        refusal(401),
        refusal(403),
        refusal(404),
        refusal(400, code="model_not_found"),
        refusal(429, code="insufficient_quota"),
        (307, {"Location": "http://elsewhere/"}, ""),
    ],
    ids=["401", "403", "404", "no model", "no quota", "redirect"],
)
def test_what_no_request_would_survive_ends_the_engine_at_once(
    chat_server: Any, trouble: Any
) -> None:
    chat_server.misbehave = lambda text, before: trouble
    with opened(chat_server, concurrency=1) as engine:
        with pytest.raises(EngineError, match="model m"):
            list(engine.generate([HELLO, Request("other", "kaba")], SAMPLING))
        assert len(chat_server.bodies) == 1
        chat_server.misbehave = lambda text, before: None
        assert len(list(engine.generate([HELLO], SAMPLING))) == 1


def test_nobody_listens(chat_server: Any) -> None:
    chat_server.stop()
    with pytest.raises(EngineError, match="cannot connect"):
        ask(chat_server, max_retries=1)


@pytest.mark.parametrize(
    ("reply", "reason", "text", "error"),
    [
        (replying(content="", finish_reason="content_filter"), "content_filter", "", None),
        (replying(content=None, refusal="I won't."), "content_filter", "I won't.", None),
        (replying(content=None), "stop", "", None),
        (replying(content="cut ### off"), "stop", "cut ", None),
        (replying(content=[{"type": "text", "text": "a"}, {"text": "b"}]), "stop", "ab", None),
        (replying(content="long", finish_reason="length"), "length", "long", None),
        ((200, {}, '{"choices": []}'), "error", "", "no choices"),
        ((200, {}, '{"choices": [7]}'), "error", "", "not a chat completion"),
        ((200, {}, '{"error": {"message": "overloaded"}}'), "error", "", "overloaded"),
        (refusal(400, "too many tokens"), "error", "", "HTTP 400: too many tokens"),
        (refusal(413), "error", "", "HTTP 413"),
    ],
)
def test_what_concerns_one_request_stays_with_it(
    chat_server: Any, reply: Any, reason: str, text: str, error: str | None
) -> None:
    chat_server.misbehave = lambda text, before: reply if text == "odd" else None
    got = ask(chat_server, Request("odd", "odd"), HELLO)
    assert (got["odd"].finish_reason, got["odd"].text) == (reason, text)
    assert (got["odd"].error is None) if error is None else (error in (got["odd"].error or ""))
    assert got["hello"].finish_reason == "stop"


def test_the_key_is_sent_and_never_shown(
    chat_server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    echoed = refusal(401, f"Incorrect API key provided: {KEY}")
    chat_server.misbehave = lambda text, before: echoed if before else refusal(500, f"with {KEY}")
    with pytest.raises(EngineError, match="Incorrect API key") as raised:
        ask(chat_server, api_key_env="MY_KEY")
    assert chat_server.headers[0]["Authorization"] == f"Bearer {KEY}"
    seen: BaseException | None = raised.value
    while seen is not None:
        assert KEY not in str(seen)
        seen = seen.__cause__ or seen.__context__
    assert "HTTP 500: with ***" in caplog.text
    assert KEY not in caplog.text


def test_a_key_that_is_not_set(chat_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(EngineError, match="MY_KEY is not set"):
        opened(chat_server, api_key_env="MY_KEY")


def test_an_abandoned_iteration_leaves_nothing_behind(chat_server: Any) -> None:
    chat_server.delay_s = 0.05
    requests = [Request(str(i), f"kaba {i}") for i in range(40)]
    with opened(chat_server, concurrency=2) as engine:
        running = engine.generate(requests, SAMPLING)
        next(running)
        running.close()
        time.sleep(0.2)
        assert len(chat_server.bodies) < 10


def test_connections_recover_from_interrupted_calls(chat_server: Any) -> None:
    """An interrupted call once left its connection taken for good, and the next to wait for it."""
    requests = [Request(str(i), f"kaba {i}") for i in range(9)]
    for _ in range(12):
        with opened(chat_server, concurrency=3, timeout_s=3.0, max_retries=0) as engine:
            running = engine.generate(requests, SAMPLING)
            next(running)
            running.close()
            assert [c.error for c in engine.generate(requests, SAMPLING)] == [None] * 9


def test_tokens_and_their_price(chat_server: Any) -> None:
    """Prompt tokens that the server had read before have a price of their own."""
    usage = {
        "prompt_tokens": 1_000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 600},
    }
    choice = {"message": {"content": "kaba"}, "finish_reason": "stop"}
    said = json.dumps({"choices": [choice], "usage": usage})
    chat_server.misbehave = lambda text, before: (200, {}, said)
    prices = {"input": 2.0, "output": 8.0}
    (completion,) = ask(chat_server, prices=prices | {"cached_input": 0.5}).values()
    tokens = (completion.prompt_tokens, completion.cached_tokens, completion.completion_tokens)
    assert tokens == (1_000, 600, 100)
    assert completion.cost == pytest.approx((400 * 2 + 600 * 0.5 + 100 * 8) / 1e6)
    (completion,) = ask(chat_server, prices=prices).values()
    assert completion.cost == pytest.approx((1_000 * 2 + 100 * 8) / 1e6)
    (completion,) = ask(chat_server).values()
    assert completion.cost is None


def test_scoring_takes_a_server_that_tells_prompt_logprobs(chat_server: Any) -> None:
    asked = [ScoreRequest(HELLO, ("kaba", ""))]
    with opened(chat_server) as engine:
        assert not engine.can_score
    with opened(chat_server, prompt_logprobs=True) as engine:
        (score,) = engine.score(asked)  # this one does not, whatever the config says
    assert "prompt_logprobs" in (score.error or "")
    assert score.continuations == ()


def test_a_continuation_is_what_comes_after_the_common_start() -> None:
    """The tokenizer may join the last token of the prompt with the continuation's first letters."""
    prompt = [None, ("5", -1.0), ("8", -0.5)]
    assert continuation_score(prompt, [*prompt, ("9", -2.0), ("3", -0.25)]) == ContinuationScore(
        -2.25, 2
    )
    joined = [None, ("5", -1.0), ("81", -4.0), ("3", -0.25)]
    assert continuation_score(prompt, joined) == ContinuationScore(-4.25, 2)
    assert continuation_score(prompt, prompt) == ContinuationScore(0, 0)
