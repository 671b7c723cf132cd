"""The hf engine: rows that do not see each other, memory that runs out, likelihoods by hand."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from comd_platform.config.engines import HfConfig
from comd_workers.engines.base import EngineError, LogitsRequest, Request, Sampling, ScoreRequest
from comd_workers.engines.hf import HfEngine, open_engine

SAMPLED = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=8)
GREEDY = Sampling(max_new_tokens=8)


@pytest.fixture
def engine(tiny_llava: Path) -> Iterator[HfEngine]:
    with open_engine(HfConfig(model=str(tiny_llava), device="cpu", batch_size=8)) as opened:
        yield opened


@pytest.fixture
def requests(pictures: tuple[Path, ...]) -> list[Request]:
    return [
        Request(
            key=str(i),
            text=f"kaba {'mifu lodi ' * (i % 11)}?",
            images=pictures[i % 8 : i % 8 + 1] if i % 5 else (),
            image_position="before" if i % 2 else "after",
            seed=i * 7919,
        )
        for i in range(33)
    ]


def texts(engine: HfEngine, requests: list[Request], sampling: Sampling) -> dict[str, str]:
    return {c.key: c.text for c in engine.generate(requests, sampling)}


def fails_above(model: Any, rows: int, error: Callable[[], Exception]) -> None:
    """Make the model's forward pass fail on batches of more than `rows`."""
    whole = model.forward

    @functools.wraps(whole)
    def forward(*args: Any, **inputs: Any) -> Any:
        if inputs["input_ids"].shape[0] > rows:
            raise error()
        return whole(*args, **inputs)

    model.forward = forward


def copy_with(tiny_llava: Path, folder: Path, name: str, **changes: Any) -> Path:
    """A copy of the model whose JSON file `name` has the changes."""
    copied = Path(shutil.copytree(tiny_llava, folder / "copy"))
    content = json.loads((copied / name).read_text()) | changes
    (copied / name).write_text(json.dumps(content))
    return copied


def test_attention_is_sdpa_unless_another_is_asked_for(tiny_llava: Path) -> None:
    for asked, used in (("auto", "sdpa"), ("eager", "eager")):
        config = HfConfig(model=str(tiny_llava), device="cpu", attention=asked)
        with open_engine(config) as engine:
            assert engine._model.config.get_text_config()._attn_implementation == used
            assert engine._model.dtype == torch.float32


@pytest.mark.parametrize("sampling", [SAMPLED, GREEDY], ids=["sampled", "greedy"])
def test_answers_do_not_depend_on_the_batch_size(
    tiny_llava: Path, requests: list[Request], sampling: Sampling
) -> None:
    seen = []
    for size in (1, 7, 32):
        config = HfConfig(model=str(tiny_llava), device="cpu", batch_size=size)
        with open_engine(config) as engine:
            seen.append(texts(engine, requests, sampling))
    assert seen[0] == seen[1] == seen[2]
    assert len(set(seen[0].values())) > 15


def test_greedy_is_what_transformers_itself_generates(
    engine: HfEngine, tiny_llava: Path, pictures: tuple[Path, ...]
) -> None:
    """And not what the model's generation config asks for (sampling at temperature 9)."""
    processor = AutoProcessor.from_pretrained(tiny_llava)
    model = AutoModelForImageTextToText.from_pretrained(tiny_llava)
    inputs = processor(
        images=Image.open(pictures[2]),
        text="USER: <picture> kaba ? ASSISTANT:",
        return_tensors="pt",
    )
    tokens = model.generate(**inputs, max_new_tokens=8, do_sample=False)
    expected = processor.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    request = Request(key="a", text="kaba ?", images=pictures[2:3])
    assert texts(engine, [request], GREEDY) == {"a": expected.strip()}


def test_memory_that_runs_out_halves_the_batch(engine: HfEngine, requests: list[Request]) -> None:
    expected = texts(engine, requests, SAMPLED)
    fails_above(engine._model, 3, lambda: torch.cuda.OutOfMemoryError("full"))
    assert texts(engine, requests, SAMPLED) == expected
    assert engine.batch_size == 2


def test_memory_too_small_for_one_is_that_requests_error(
    engine: HfEngine, requests: list[Request]
) -> None:
    fails_above(engine._model, 0, lambda: torch.cuda.OutOfMemoryError("full"))
    completions = list(engine.generate(requests[:3], GREEDY))
    assert {c.key for c in completions} == {"0", "1", "2"}
    assert all("memory" in (c.error or "") for c in completions)


def test_a_model_that_fails_ends_the_engine(engine: HfEngine, requests: list[Request]) -> None:
    fails_above(engine._model, 0, lambda: RuntimeError("device-side assert"))
    with pytest.raises(EngineError, match="device-side assert"):
        list(engine.generate(requests, GREEDY))


def test_a_stop_token_ends_the_answer_and_counts(
    tiny_llava: Path, tmp_path: Path, engine: HfEngine
) -> None:
    request = Request(key="a", text="kaba ?")
    whole = texts(engine, [request], GREEDY)["a"].split()
    word = next(word for i, word in enumerate(whole) if i and word not in whole[:i])
    place = whole.index(word)
    token = AutoProcessor.from_pretrained(tiny_llava).tokenizer.convert_tokens_to_ids(word)
    model = copy_with(tiny_llava, tmp_path, "generation_config.json", eos_token_id=[token])
    with open_engine(HfConfig(model=str(model), device="cpu")) as stopping:
        (completion,) = stopping.generate([request], GREEDY)
    assert completion.text.split()[:place] == whole[:place]
    assert completion.finish_reason == "stop"
    assert completion.completion_tokens == place + 1


def test_a_stop_string_ends_one_row_and_not_its_neighbours(
    engine: HfEngine, requests: list[Request]
) -> None:
    whole = {c.key: c for c in engine.generate(requests, GREEDY)}
    first, second, *_ = whole["3"].text.split()
    stop = f"{first} {second}"  # spans two tokens
    got = {c.key: c for c in engine.generate(requests, Sampling(max_new_tokens=8, stop=(stop,)))}
    for key, completion in got.items():
        if stop not in whole[key].text:
            assert completion == whole[key]
        else:
            assert completion.text == whole[key].text.split(stop)[0].strip()
            assert completion.finish_reason == "stop"
    assert got["3"].completion_tokens < whole["3"].completion_tokens
    assert any(completion == whole[key] for key, completion in got.items())


def test_score_is_the_sum_of_the_continuations_log_probabilities(
    engine: HfEngine, tiny_llava: Path, pictures: tuple[Path, ...]
) -> None:
    processor = AutoProcessor.from_pretrained(tiny_llava)
    model = AutoModelForImageTextToText.from_pretrained(tiny_llava).eval()

    def by_hand(prompt: str, continuation: str, picture: Path | None) -> float:
        images = None if picture is None else Image.open(picture)
        inputs = processor(images=images, text=f"{prompt} {continuation}", return_tensors="pt")
        with torch.inference_mode():
            log_p = model(**inputs).logits[0].log_softmax(dim=-1)
        ids = inputs["input_ids"][0]
        count = len(continuation.split())
        return sum(float(log_p[at - 1, ids[at]]) for at in range(len(ids) - count, len(ids)))

    options = ("kaba", "lodi mifu nuge", "", "reba .")
    asked = [
        ScoreRequest(Request("seen", "kaba ?", images=pictures[:1]), options),
        ScoreRequest(
            Request("after", "po ?", images=pictures[1:2], image_position="after"), options
        ),
        ScoreRequest(Request("unseen", "kaba mifu " * 5), options[:2]),
        ScoreRequest(Request("nothing", "kaba"), ()),
    ]
    got = {score.key: score.continuations for score in engine.score(asked)}
    prompts = {
        "seen": ("USER: <picture> kaba ? ASSISTANT:", pictures[0]),
        "after": ("USER: po ? <picture> ASSISTANT:", pictures[1]),
        "unseen": (f"USER: {'kaba mifu ' * 5} ASSISTANT:", None),
    }
    for item in asked[:3]:
        for option, score in zip(item.continuations, got[item.request.key], strict=True):
            expected = by_hand(prompts[item.request.key][0], option, prompts[item.request.key][1])
            assert score.logprob == pytest.approx(expected, abs=1e-4)
            assert score.tokens == len(option.split())
    assert got["nothing"] == ()


def test_what_one_request_does_wrong_is_its_own(
    engine: HfEngine, requests: list[Request], tmp_path: Path, pictures: tuple[Path, ...]
) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(pictures[0].read_bytes()[:200])
    bad = [
        Request(key="torn", text="kaba ?", images=(torn,)),
        Request(key="token", text="what is a <picture> ?", images=pictures[:1]),
        Request(key="long", text="kaba " * 100, images=pictures[:1]),
    ]
    got = {c.key: c for c in engine.generate([*bad, *requests], SAMPLED)}
    assert "torn.png" in (got["torn"].error or "")
    assert "<picture>" in (got["token"].error or "")
    assert "the model takes 64" in (got["long"].error or "")
    expected = texts(engine, requests, SAMPLED)
    assert {key: got[key].text for key in expected} == expected
    scores = {s.key: s for s in engine.score([ScoreRequest(r, ("kaba",)) for r in bad])}
    assert all(score.error and not score.continuations for score in scores.values())


def test_the_models_length_bounds_the_answer(engine: HfEngine) -> None:
    """A prompt that leaves room for two tokens gets two, whatever its neighbours get."""
    crowded = Request(key="crowded", text="kaba " * 58)
    roomy = Request(key="roomy", text="lodi mifu")
    got = {c.key: c for c in engine.generate([crowded, roomy], GREEDY)}
    assert got["crowded"].prompt_tokens == 62
    assert got["crowded"].completion_tokens == 2
    assert got["crowded"].finish_reason == "length"
    assert got["roomy"].completion_tokens > 2
    assert [got["roomy"]] == list(engine.generate([roomy], GREEDY))


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot load"):
        open_engine(HfConfig(model=str(tmp_path / "nothing"), device="cpu"))


def test_a_processor_without_a_chat_template(tiny_llava: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(tiny_llava, tmp_path / "copy"))
    (copied / "chat_template.jinja").unlink()
    with pytest.raises(EngineError, match="no chat template"):
        open_engine(HfConfig(model=str(copied), device="cpu"))


def test_a_template_that_refuses_a_system_sentence(
    tiny_llava: Path, tmp_path: Path, requests: list[Request]
) -> None:
    copied = Path(shutil.copytree(tiny_llava, tmp_path / "copy"))
    template = copied / "chat_template.jinja"
    guard = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    template.write_text(guard + template.read_text())
    with open_engine(HfConfig(model=str(copied), device="cpu")) as engine:
        asked = [Request("system", "kaba ?", system="reba"), requests[1]]
        got = {c.key: c for c in engine.generate(asked, GREEDY)}
    assert "no system" in (got["system"].error or "")
    assert got["1"].error is None


def test_logits_are_those_of_a_forward_pass(tiny_llava: Path, pictures: tuple[Path, ...]) -> None:
    """All of them, by hand, over prompt, answer and stop token; and what `score` says of the answer."""
    request = Request(key="a", text="kaba ?", images=pictures[:1])
    with open_engine(HfConfig(model=str(tiny_llava), device="cpu")) as engine:
        [told] = engine.logits([LogitsRequest(request, "lodi mifu")], 1000)
        [score] = engine.score([ScoreRequest(request, ("lodi mifu",))])
        [few] = engine.logits([LogitsRequest(request, "lodi mifu")], 2)
    assert told.logits is not None
    assert few.logits is not None
    processor = AutoProcessor.from_pretrained(tiny_llava)
    model = AutoModelForImageTextToText.from_pretrained(tiny_llava).eval()
    text = "USER: <picture> kaba ? ASSISTANT: lodi mifu</s>"
    with Image.open(pictures[0]) as picture:
        given = processor(text=[text], images=[[picture.convert("RGB")]], return_tensors="pt")
    tokens = len(processor.tokenizer)
    with torch.no_grad():
        expected = model(**given).logits[0, -4:-1, :tokens].log_softmax(dim=-1)
    words = processor.tokenizer.convert_tokens_to_ids(["lodi", "mifu", "</s>"])
    assert told.logits.chosen.tolist() == words
    assert told.logits.ids.shape == (3, tokens)
    ordered = expected.gather(1, torch.from_numpy(told.logits.ids).long()).numpy()
    assert told.logits.logprobs[:, :-1].astype(float) == pytest.approx(ordered, abs=5e-3)
    assert told.logits.logprobs[:, -1].tolist() == [-float("inf")] * 3
    of_answer = sum(expected[place, word].item() for place, word in enumerate(words[:2]))
    assert score.continuations[0].logprob == pytest.approx(of_answer, abs=1e-3)
    # Of two, what is left is all others together.
    assert few.logits.ids.tolist() == told.logits.ids[:, :2].tolist()
    rest = 1 - expected.exp().topk(2).values.sum(dim=-1)
    assert few.logits.logprobs[:, -1].astype(float) == pytest.approx(rest.log().numpy(), abs=5e-3)
