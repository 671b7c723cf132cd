"""Tiny processors and models of the vision-language families that can be built without a download."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

SIZE, PATCH = 8, 4

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}"
    "{{ IMAGE if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "{{ '</s>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
IDEFICS = (
    "{% for message in messages %}{{ message['role'] | capitalize }} : "
    "{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant : ' }}{% endif %}"
)


def llava(tiny: Any) -> Any:
    return tiny


def llava_next(tiny: Any) -> Any:
    from transformers import LlavaNextImageProcessorPil, LlavaNextProcessor

    return LlavaNextProcessor(
        image_processor=LlavaNextImageProcessorPil(
            size={"shortest_edge": SIZE},
            crop_size={"height": SIZE, "width": SIZE},
            image_grid_pinpoints=[[8, 16], [16, 8], [16, 16]],
        ),
        tokenizer=tiny.tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tiny.chat_template,
    )


def idefics3(tiny: Any) -> Any:
    from transformers import Idefics3ImageProcessorPil, Idefics3Processor

    return Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(
            size={"longest_edge": 16}, max_image_size={"longest_edge": SIZE}
        ),
        tokenizer=_with(tiny, "<image>", "<fake_token_around_image>", "<end_of_utterance>",
                        "<global-img>"),
        image_seq_len=4,
        chat_template=IDEFICS,
    )  # fmt: skip


def smolvlm(tiny: Any) -> Any:
    from transformers import SmolVLMImageProcessorPil, SmolVLMProcessor

    tokenizer = _with(tiny, "<image>", "<fake_token_around_image>", "<end_of_utterance>",
                      "<global-img>", "<video>")  # fmt: skip
    return _assembled(
        SmolVLMProcessor,
        SmolVLMImageProcessorPil(size={"longest_edge": 16}, max_image_size={"longest_edge": SIZE}),
        tokenizer,
        IDEFICS,
        fake_image_token="<fake_token_around_image>",
        image_token="<image>",
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        end_of_utterance_token="<end_of_utterance>",
        global_image_token="<global-img>",
        image_seq_len=4,
        video_token="<video>",
        video_processor=SimpleNamespace(num_frames=1, fps=1),  # asked for, for no video
    )


def qwen2_vl(tiny: Any) -> Any:
    from transformers import Qwen2VLImageProcessorPil, Qwen2VLProcessor

    tokenizer = _with(tiny, "<|im_start|>", "<|vision_start|>", "<|image_pad|>", "<|video_pad|>",
                      "<|vision_end|>")  # fmt: skip
    return _assembled(
        Qwen2VLProcessor,
        Qwen2VLImageProcessorPil(
            patch_size=PATCH,
            merge_size=2,
            temporal_patch_size=2,
            size={"shortest_edge": 16 * 16, "longest_edge": 32 * 32},
        ),
        tokenizer,
        CHATML.replace("IMAGE", "'<|vision_start|><|image_pad|><|vision_end|>'"),
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
    )


def internvl(tiny: Any) -> Any:
    from transformers import GotOcr2ImageProcessorPil, InternVLProcessor

    tokenizer = _with(tiny, "<|im_start|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>")
    ids = tokenizer.convert_tokens_to_ids
    return _assembled(
        InternVLProcessor,
        GotOcr2ImageProcessorPil(
            size={"height": SIZE, "width": SIZE}, crop_to_patches=True, min_patches=1, max_patches=4
        ),
        tokenizer,
        CHATML.replace("IMAGE", "'<IMG_CONTEXT>'"),
        image_seq_length=4,
        start_image_token="<img>",
        end_image_token="</img>",
        start_image_token_id=ids("<img>"),
        end_image_token_id=ids("</img>"),
        image_token="<IMG_CONTEXT>",
        video_token="<video>",
        image_token_id=ids("<IMG_CONTEXT>"),
        multimodal_pattern=re.compile(r"(?P<image><IMG_CONTEXT>)|(?P<video><video>)"),
    )


FAMILIES: dict[str, Callable[[Any], Any]] = {
    "llava": llava,
    "llava_next": llava_next,
    "idefics3": idefics3,
    "smolvlm": smolvlm,
    "qwen2_vl": qwen2_vl,
    "internvl": internvl,
}


def tiny_model(family: str, processor: Any) -> Any:
    """A random model of the family that takes what the processor gives."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    torch.manual_seed(0)
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": SIZE,
        "patch_size": PATCH,
    }
    text = {
        "model_type": "qwen2" if family == "internvl" else "llama",
        "vocab_size": len(processor.tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "pad_token_id": 0,
    }
    token = {"image_token_id": processor.image_token_id, "pad_token_id": 0}
    own: dict[str, Any] = {
        "llava": {
            "image_token_index": processor.image_token_id,
            "vision_feature_layer": -1,
            "vision_config": vision | {"model_type": "clip_vision_model"},
        },
        "llava_next": {
            "image_token_index": processor.image_token_id,
            "vision_feature_layer": -1,
            "image_grid_pinpoints": [[8, 16], [16, 8], [16, 16]],
            "vision_config": vision | {"model_type": "clip_vision_model"},
        },
        "idefics3": {"scale_factor": 1, "vision_config": vision},
        "smolvlm": {"scale_factor": 1, "vision_config": vision},
    }[family]
    config = AutoConfig.for_model(family, **(token | {"text_config": text} | own))
    return AutoModelForImageTextToText.from_config(config, attn_implementation="sdpa")


def _with(tiny: Any, *special: str) -> Any:
    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    return tokenizer


def _assembled(
    processor: Any, image_processor: Any, tokenizer: Any, template: str, **attributes: Any
) -> Any:
    """A processor without its video part, which needs torchvision and sees no picture."""
    made = processor.__new__(processor)
    parts = {"image_processor": image_processor, "tokenizer": tokenizer, "chat_template": template}
    for name, value in (parts | attributes).items():
        setattr(made, name, value)
    return made
