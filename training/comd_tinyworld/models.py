"""Genuine LLaVA models, small enough to train from nothing on a CPU: configuration and first weights.

Teacher and student share one frozen CLIP tower and one vocabulary; the teacher's language model has
three layers, the student's two.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from comd_tinyworld.processor import IMAGE, PAD, STOP, vocabulary
from comd_tinyworld.scenes import CELL, SIDE

Part = Literal["teacher", "student"]
LAYERS: dict[Part, int] = {"teacher": 3, "student": 2}
WIDTH = 96
"""A width of 64 did not converge."""


def build_tower() -> CLIPVisionModel:
    """One transformer layer over four patches and a class token; 0.14 M parameters."""
    return CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=1,
            num_attention_heads=4,
            image_size=SIDE,
            patch_size=CELL,
            projection_dim=WIDTH,
        )
    )


def patch_features(tower: CLIPVisionModel, pixel_values: Tensor) -> Tensor:
    """What LLaVA's projector sees: (B, 3, 24, 24) -> (B, 4, 96), the class token dropped."""
    states = tower(pixel_values=pixel_values, output_hidden_states=True).hidden_states
    last: Tensor = states[-1]
    return last[:, 1:]


def build_llava(
    part: Part, tower: CLIPVisionModel, features: Tensor
) -> LlavaForConditionalGeneration:
    """An untrained model around a trained tower, whose weights it holds frozen.

    `features`, (N, 4, 96), is a sample of what the tower puts out. It sets the projector's first
    layer, because Hugging Face's initialisation (standard deviation 0.02) leaves the picture too
    faint to be noticed: the features are centred and brought to unit scale, fan-in from there.
    """
    ids = {token: i for i, token in enumerate(vocabulary())}
    language = LlamaConfig(
        vocab_size=len(ids),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=LAYERS[part],
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        initializer_range=1 / math.sqrt(WIDTH),
        tie_word_embeddings=True,
        pad_token_id=ids[PAD],
        bos_token_id=None,
        eos_token_id=ids[STOP],
    )
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=language,
        image_token_id=ids[IMAGE],
        image_seq_length=(SIDE // CELL) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(tower.state_dict())
    model.model.vision_tower.requires_grad_(requires_grad=False)
    _initialise_projector(model, features)
    model.generation_config.pad_token_id = ids[PAD]
    model.generation_config.eos_token_id = ids[STOP]
    model.generation_config.bos_token_id = None
    return model


def _initialise_projector(model: LlavaForConditionalGeneration, features: Tensor) -> None:
    projector = model.model.multi_modal_projector
    flat = features.reshape(-1, WIDTH)
    mean, scale = flat.mean(0), flat.std(0).clamp_min(1e-3)  # (D,), (D,)
    weight = torch.randn(WIDTH, WIDTH) / math.sqrt(WIDTH) / scale
    with torch.no_grad():
        projector.linear_1.weight.copy_(weight)
        projector.linear_1.bias.copy_(-weight @ mean)
        projector.linear_2.weight.copy_(torch.randn(WIDTH, WIDTH) / math.sqrt(WIDTH))
        projector.linear_2.bias.zero_()
