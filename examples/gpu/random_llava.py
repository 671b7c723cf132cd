"""A LLaVA of any size with random weights: the shapes of the real one, nothing to download.

Speed and memory depend on shapes and not on what the weights have learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

# A turn as LLaVA-1 writes it, in words that the tokenizer below knows.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}USER : {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] + ' ' }}{% endif %}"
    "{% endfor %}"
    "{% else %}ASSISTANT : "
    "{% generation %}{{ message['content'][0]['text'] + '</s>' }}{% endgeneration %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT :{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """Of the language model (Llama) and the vision tower (CLIP); `length` is what it takes in tokens."""

    width: int
    inner: int
    layers: int
    heads: int
    vocabulary: int
    length: int
    tower_width: int
    tower_inner: int
    tower_layers: int
    tower_heads: int
    image: int
    patch: int

    @property
    def image_tokens(self) -> int:
        return (self.image // self.patch) ** 2


TOWER = {  # CLIP ViT-L/14 at 336 pixels, LLaVA-1.5's
    "tower_width": 1024,
    "tower_inner": 4096,
    "tower_layers": 24,
    "tower_heads": 16,
    "image": 336,
    "patch": 14,
}
SHAPES = {
    "13b": Shape(5120, 13824, 40, 40, 32064, 4096, **TOWER),
    "7b": Shape(4096, 11008, 32, 32, 32064, 4096, **TOWER),
    "1b": Shape(2048, 5504, 20, 16, 32064, 4096, **TOWER),
    "tiny": Shape(64, 128, 2, 2, 512, 512, 32, 64, 1, 2, 28, 14),
}


def save(shape: Shape, directory: Path, device: str) -> None:
    """Weights (bfloat16 on a card, float32 on a CPU) and processor, as from a hub."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        utils,
    )

    utils.logging.disable_progress_bar()
    processor = _processor(shape)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=shape.tower_width,
            intermediate_size=shape.tower_inner,
            num_hidden_layers=shape.tower_layers,
            num_attention_heads=shape.tower_heads,
            image_size=shape.image,
            patch_size=shape.patch,
        ),
        text_config=LlamaConfig(
            hidden_size=shape.width,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            vocab_size=shape.vocabulary,
            max_position_embeddings=shape.length,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        ),
        image_token_id=processor.tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=shape.image_tokens,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
    try:
        with torch.device(device):
            model = LlavaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(torch.float32)
    model.save_pretrained(directory)
    processor.save_pretrained(directory)


def words(shape: Shape, count: int, start: int = 0) -> str:
    """`count` words of a token each."""
    return " ".join(f"w{(start + i) % (shape.vocabulary - 8)}" for i in range(count))


def _processor(shape: Shape) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast

    known = ["<pad>", "<s>", "</s>", "<unk>", "<image>", "USER", "ASSISTANT", ":"]
    known += [f"w{i}" for i in range(shape.vocabulary - len(known))]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(known)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=["<image>"],
    )
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": shape.image},
            crop_size={"height": shape.image, "width": shape.image},
        ),
        tokenizer=tokenizer,
        patch_size=shape.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
        chat_template=CHAT_TEMPLATE,
    )
