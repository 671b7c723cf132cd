"""What the engine tests run on: pictures, a tiny random LLaVA, a stub of vLLM."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_chat import WORDS
from PIL import Image

from comd_platform.settings import get_settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'][0]['text'] + ' ' }}"
    "{% elif message['role'] == 'user' %}USER: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<picture> {% else %}{{ part['text'] + ' ' }}{% endif %}"
    "{% endfor %}"
    "{% else %}ASSISTANT: {{ message['content'][0]['text'] }}</s>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Eight 24 x 24 pictures of noise."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(7)
    paths = tuple(folder / f"{i}.png" for i in range(8))
    for path in paths:
        Image.fromarray(noise.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture(scope="session")
def word_tokenizer() -> Callable[[list[str]], Any]:
    """Makes a tokenizer of whole words: pad, unk, s, /s, the special tokens given, then WORDS."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    def make(special: list[str]) -> Any:
        tokens = ["<pad>", "<unk>", "<s>", "</s>", *special]
        tokens += ["USER", "ASSISTANT", ":", "?", ".", *WORDS]
        words = Tokenizer(models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="<unk>"))
        words.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
        )
        return PreTrainedTokenizerFast(
            tokenizer_object=words,
            pad_token="<pad>",
            unk_token="<unk>",
            bos_token="<s>",
            eos_token="</s>",
            extra_special_tokens=special,
        )

    return make


@pytest.fixture(scope="session")
def tiny_llava(
    tmp_path_factory: pytest.TempPathFactory, word_tokenizer: Callable[[list[str]], Any]
) -> Path:
    """A saved LlavaForConditionalGeneration of some 20 K random weights, with its processor.

    Its picture token is `<picture>`, so that code that assumes `<image>` shows.
    """
    import torch
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    torch.set_num_threads(1)
    torch.manual_seed(11)
    folder = tmp_path_factory.mktemp("tiny-llava")
    tokenizer = word_tokenizer(["<picture>"])
    LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 24}, crop_size={"height": 24, "width": 24}
        ),
        tokenizer=tokenizer,
        patch_size=12,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<picture>",
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(folder)
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=24,
        patch_size=12,
    )
    text = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        initializer_range=0.5,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=4,
        vision_feature_layer=-1,
        image_seq_length=4,
    )
    model = LlavaForConditionalGeneration(config)
    # What a model brings beside its ids must not change how we decode.
    model.generation_config.update(eos_token_id=3, pad_token_id=0, do_sample=True, temperature=9.0)
    model.save_pretrained(folder)
    return folder


class VllmStub:
    """The stub executable (tests/support/vllm_stub.py), and what its processes have noted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.command = (sys.executable, vllm_stub_path())

    def decide(self, **fate: Any) -> None:
        """What is to happen to the servers started from now on."""
        (self._folder / "fate.json").write_text(json.dumps(fate))

    @property
    def starts(self) -> list[dict[str, Any]]:
        notes = self._folder / "starts.jsonl"
        return (
            [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
        )


def vllm_stub_path() -> str:
    return str(Path(__file__).parents[2] / "support" / "vllm_stub.py")


@pytest.fixture
def vllm_stub(
    tmp_path: Path, pictures: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> Iterator[VllmStub]:
    """Servers read the fixture's pictures by path, and their notes lie in a home of their own."""
    monkeypatch.setenv("COMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COMD_IMAGES", str(pictures[0].parent))
    monkeypatch.setenv("VLLM_STUB", str(tmp_path))
    get_settings.cache_clear()
    yield VllmStub(tmp_path)
    get_settings.cache_clear()
