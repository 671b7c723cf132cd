"""A tiny random LLaVA, pictures of one colour, and dialogues about them, for the training's tests."""

from __future__ import annotations

import copy
import importlib.resources
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from comd_training.examples import Dialogue, Turn, write_examples
from comd_training.spec import TrainingSpec

SIZE = 8
PATCH = 4
COLOURS = ("red", "green", "blue")
TEXT = """
A chat between a curious user and an artificial intelligence assistant . The assistant gives helpful
, detailed , and polite answers to the user's questions . USER : ASSISTANT : What colour is this ?
where is it ? red green blue left right top cat dog on in yes no who house [INST] [/INST]
"""


@pytest.fixture(scope="session")
def vicuna() -> str:
    """The shipped chat template."""
    shipped = importlib.resources.files("comd_training") / "templates" / "vicuna_v1.jinja"
    return shipped.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_processor(vicuna: str) -> Any:
    """LlavaProcessor: word tokens, 8x8 pictures of four image tokens, Vicuna's template."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast

    words = dict.fromkeys(["<pad>", "<s>", "</s>", "<unk>", *TEXT.split()])
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(":", "isolated")]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}
        ),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=vicuna,
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_processor: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a random LlavaForConditionalGeneration (some 30 K parameters, fp32)."""
    return save_llava(tiny_processor, tmp_path_factory.mktemp("tiny-llava"))


@pytest.fixture(scope="session")
def tiny_teacher(tiny_processor: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wider, with pictures of 12x12 in nine tokens where the student's are 8x8 in four, and sharper:
    the same words."""
    processor = copy.deepcopy(tiny_processor)
    processor.image_processor.size = {"shortest_edge": 12}
    processor.image_processor.crop_size = {"height": 12, "width": 12}
    folder = tmp_path_factory.mktemp("tiny-teacher")
    return save_llava(processor, folder, width=48, side=12, seed=5, spread=0.3)


def save_llava(
    tiny_processor: Any,
    directory: Path,
    *,
    width: int = 32,
    side: int = SIZE,
    seed: int = 0,
    spread: float = 0.02,
) -> Path:
    """Save random weights; `side` of its pictures in pixels, `spread` the initial weights' deviation."""
    import torch
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=side,
        patch_size=PATCH,
    )
    text = LlamaConfig(
        vocab_size=len(tiny_processor.tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        initializer_range=spread,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tiny_processor.tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        pad_token_id=0,
    )
    LlavaForConditionalGeneration(config).save_pretrained(directory)
    tiny_processor.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six plain pictures, 0.png to 5.png: red, green, blue, red, green, blue."""
    directory = tmp_path_factory.mktemp("pictures")
    for number in range(6):
        pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
        pixels[..., number % 3] = 200 + number
        Image.fromarray(pixels).save(directory / f"{number}.png")
    return directory


@pytest.fixture(scope="session")
def colour_dialogues() -> list[Dialogue]:
    """21 dialogues of two turns whose first answer is the picture's colour."""
    return [
        Dialogue(
            dialogue=f"d{number}",
            image=f"{number % 6}.png",
            image_position="before" if number % 2 else "after",
            turns=(
                Turn(f"k{number}-0", "What colour is this ?", COLOURS[number % 3]),
                Turn(f"k{number}-1", "where is it ?", "left top"),
            ),
        )
        for number in range(21)
    ]


@pytest.fixture
def spec_of(
    tiny_model: Path, pictures: Path, colour_dialogues: list[Dialogue], tmp_path: Path
) -> Callable[..., TrainingSpec]:
    """Makes a spec over the colour dialogues; keywords replace hyperparameters, or the dialogues."""

    def make(
        name: str = "run",
        dialogues: list[Dialogue] | None = None,
        processes: int = 1,
        teacher: Path | None = None,
        teacher_logits: Path | None = None,
        **hyperparameters: Any,
    ) -> TrainingSpec:
        output = tmp_path / name
        write_examples(output / "examples.parquet", dialogues or colour_dialogues)
        quick = {"learning_rate": 5e-3, "batch_size": 8, "precision": "fp32"}
        return TrainingSpec.model_validate(
            {
                "examples": output / "examples.parquet",
                "image_root": pictures,
                "model": str(tiny_model),
                "output": output,
                "seed": 3,
                "threads": 1,
                "processes": processes,
                "hyperparameters": quick | hyperparameters,
                "teacher": {"model": str(teacher)} if teacher else None,
                "teacher_logits": teacher_logits,
            }
        )

    return make
