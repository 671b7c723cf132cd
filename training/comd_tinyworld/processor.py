"""The processor both models use: a word-level tokenizer, a picture processor, a chat template."""

from __future__ import annotations

import re
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import LlavaProcessor, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from comd_tinyworld.prompts import ROLES, prompt_path
from comd_tinyworld.questions import ALL_TYPES, TYPES, answers, questions
from comd_tinyworld.scenes import CELL, SIDE

PAD, UNKNOWN, STOP, IMAGE = "<pad>", "<unk>", "</s>", "<image>"
IMAGE_TOKENS = (SIDE // CELL) ** 2
"""Tokens a picture takes: one a cell."""
_SPLITTING = r"\w+:|\n|[?.,:!]|[^\s?.,:!]+"
"""A word, with the colon that makes it a label; a line break; a punctuation mark."""


def vocabulary() -> list[str]:
    """Every token, in a fixed order: special ones, the template's, then all words of the world."""
    texts = [q.text for q in questions()]
    texts += [a for t in ALL_TYPES for a in answers(t)]
    texts += [re.sub(r"{{.*?}}", " ", prompt_path(r).read_text(encoding="utf-8")) for r in ROLES]
    texts += [*TYPES, " ".join(map(str, range(1, 11))), "USER: ASSISTANT:", "?.,:!"]
    words = sorted({token for text in texts for token in re.findall(_SPLITTING, text)})
    return [PAD, UNKNOWN, STOP, IMAGE, *words]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word; punctuation and line breaks stand alone; decoding restores the spacing."""
    ids = {token: i for i, token in enumerate(vocabulary())}
    backend = Tokenizer(WordLevel(ids, unk_token=UNKNOWN))
    backend.pre_tokenizer = Split(Regex(_SPLITTING), behavior="removed", invert=True)
    backend.decoder = decoders.Sequence(
        [
            decoders.WordPiece(cleanup=True),
            decoders.Fuse(),
            decoders.Replace(" \n ", "\n"),
            decoders.Replace(" :", ":"),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=STOP,
        additional_special_tokens=[IMAGE],
        extra_special_tokens={"image_token": IMAGE},
        padding_side="left",
        model_max_length=512,
    )


def build_processor() -> LlavaProcessor:
    """The processor, with left padding, as generation needs it."""
    pictures = CLIPImageProcessorPil(
        size={"height": SIDE, "width": SIDE},
        do_center_crop=False,
        crop_size={"height": SIDE, "width": SIDE},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    template = Path(__file__).with_name("chat_template.jinja").read_text(encoding="utf-8")
    return LlavaProcessor(
        image_processor=pictures,
        tokenizer=build_tokenizer(),
        patch_size=CELL,
        # CLIP's class token is dropped ("default"), and counted here because it exists.
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )
