"""The hf engine knows no family: tiles of LLaVA-NeXT and Idefics3 pass through the same path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    Idefics3VisionConfig,
    LlamaConfig,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
)

from comd_platform.config.engines import HfConfig
from comd_workers.engines.base import Completion, Request, Sampling, Score, ScoreRequest
from comd_workers.engines.hf import open_engine

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | upper + ' : ' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] + ' ' }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}ASSISTANT :{% endif %}"
)
GRID = [[24, 48], [48, 24], [48, 48]]


def language_model(tokenizer: Any) -> LlamaConfig:
    return LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=512,
        initializer_range=0.5,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )


def llava_next(make_tokenizer: Callable[[list[str]], Any]) -> tuple[Any, Any]:
    tokenizer = make_tokenizer(["<image>"])
    processor = LlavaNextProcessor(
        image_processor=LlavaNextImageProcessorPil(
            size={"shortest_edge": 24},
            crop_size={"height": 24, "width": 24},
            image_grid_pinpoints=GRID,
        ),
        tokenizer=tokenizer,
        patch_size=12,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=24,
        patch_size=12,
    )
    config = LlavaNextConfig(
        vision_config=vision,
        text_config=language_model(tokenizer),
        image_token_id=4,
        vision_feature_layer=-1,
        image_grid_pinpoints=GRID,
    )
    return processor, LlavaNextForConditionalGeneration(config)


def idefics3(make_tokenizer: Callable[[list[str]], Any]) -> tuple[Any, Any]:
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    marks = ["<fake_token_around_image>", "<end_of_utterance>", "<global-img>"]
    tokenizer = make_tokenizer(["<image>", *marks, *tiles])
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(
            size={"longest_edge": 64}, max_image_size={"longest_edge": 32}
        ),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=CHAT_TEMPLATE,
    )
    vision = Idefics3VisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    config = Idefics3Config(
        vision_config=vision,
        text_config=language_model(tokenizer),
        image_token_id=4,
        scale_factor=2,
        pad_token_id=0,
    )
    return processor, Idefics3ForConditionalGeneration(config)


@pytest.fixture
def uneven_pictures(tmp_path: Path) -> list[Path]:
    """Of different shapes, so that they take different numbers of tokens."""
    noise = np.random.default_rng(3)
    paths = []
    for width, height in [(24, 24), (60, 20), (20, 60), (80, 80), (33, 50)]:
        paths.append(tmp_path / f"{width}x{height}.png")
        Image.fromarray(noise.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(paths[-1])
    return paths


@pytest.mark.parametrize("family", [llava_next, idefics3])
def test_other_families_answer_and_score_alike_in_any_batch(
    family: Callable[[Any], tuple[Any, Any]],
    word_tokenizer: Callable[[list[str]], Any],
    uneven_pictures: list[Path],
    tmp_path: Path,
) -> None:
    torch.manual_seed(5)
    processor, model = family(word_tokenizer)
    model.generation_config.update(eos_token_id=3, pad_token_id=0)
    processor.save_pretrained(tmp_path / "model")
    model.save_pretrained(tmp_path / "model")
    requests = [
        Request(
            key=str(i),
            text=f"{'kaba lodi ' * (i % 3)}?",
            images=(uneven_pictures[i % 5],) if i % 6 else (),
            image_position="before" if i % 2 else "after",
            seed=i,
        )
        for i in range(14)
    ]
    asked = [ScoreRequest(request, ("kaba", "lodi mifu .")) for request in requests]
    said: list[dict[str, Completion]] = []
    weighed: list[dict[str, Score]] = []
    for size in (1, 8):
        config = HfConfig(model=str(tmp_path / "model"), device="cpu", batch_size=size)
        with open_engine(config) as engine:
            sampling = Sampling(temperature=1.0, max_new_tokens=6)
            said.append({c.key: c for c in engine.generate(requests, sampling)})
            weighed.append({s.key: s for s in engine.score(asked)})
    assert said[0] == said[1]
    assert all(completion.error is None for completion in said[0].values())
    pictured = {said[0][str(i)].prompt_tokens for i in range(14) if i % 6 and i % 3 == 1}
    assert len(pictured) > 1
    for key, alone in weighed[0].items():
        for one, other in zip(alone.continuations, weighed[1][key].continuations, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-3)
            assert one.tokens == other.tokens
