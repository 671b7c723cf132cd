"""Measuring a model by what it writes: generation through processor, chat template and prompts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from comd_tinyworld.characters import NAMES, Character, characters
from comd_tinyworld.prompts import render
from comd_tinyworld.questions import (
    ALL_TYPES,
    TYPES,
    Question,
    class_of,
    is_right,
    questions,
    read_question,
)
from comd_tinyworld.roles import any_type, ask, candidate, score
from comd_tinyworld.scenes import Scene, Split, picture, scene
from comd_tinyworld.seeds import generator

TEMPERATURE = 0.5
"""Of teacher and assessor, as in the paper."""
AUGMENTOR_TEMPERATURE = 1.0
"""Higher, because an augmentor is wanted for its variety."""
_MAX_NEW_TOKENS = 24
_SCORES = re.compile(r"^\s*(\d+) (\d+)\s*$", re.MULTILINE)

Quality = dict[str, float]


@dataclass(frozen=True)
class Prompted:
    """One request: a scene, the user's text, and where the picture stands."""

    scene: Scene
    text: str
    image_first: bool = True


def generate(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    prompts: Sequence[Prompted],
    temperature: float,
    batch: int = 128,
) -> Iterator[str]:
    """One reply a prompt, in order; greedy at temperature 0, else sampled from torch's generator."""
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {}
    for start in range(0, len(prompts), batch):
        conversations = [_conversation(p) for p in prompts[start : start + batch]]
        inputs = processor.apply_chat_template(
            conversations,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        with torch.no_grad():
            out = model.generate(**inputs, max_new_tokens=_MAX_NEW_TOKENS, **sampling)
        replies = out[:, inputs["input_ids"].shape[1] :]
        yield from processor.batch_decode(replies, skip_special_tokens=True)


def _conversation(prompted: Prompted) -> list[dict[str, object]]:
    content: list[dict[str, object]] = [{"type": "text", "text": prompted.text}]
    shown = {"type": "image", "image": picture(prompted.scene)}
    content.insert(0 if prompted.image_first else 1, shown)
    return [{"role": "user", "content": content}]


def answer_quality(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    cast: Sequence[Character],
    split: Split,
    temperature: float,
    each: int = 2,
) -> Quality:
    """Share of right answers, by question type and over knowledge and look.

    Every character is asked every type `each` times, on scenes of the split, half of the time with
    the picture after the question.
    """
    rng = generator("measure answers")
    asked: list[tuple[Prompted, Question]] = []
    for i, character in enumerate(cast):
        for j in range(each):
            shown = scene(split, i * each + j, character)
            for question in (ask(rng, t) for t in ALL_TYPES):
                text = render("teacher", instruction=question.text)
                asked.append((Prompted(shown, text, image_first=j % 2 == 0), question))
    replies = generate(model, processor, [p for p, _ in asked], temperature)
    right: dict[str, list[bool]] = defaultdict(list)
    for (prompted, question), reply in zip(asked, replies, strict=True):
        right[question.type].append(is_right(prompted.scene, question.type, reply))
    quality: Quality = {t: _share(right[t]) for t in ALL_TYPES}
    for kind, types in TYPES.items():
        quality[kind] = _share([r for t in types for r in right[t]])
    return quality


def judge_quality(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, split: Split, count: int
) -> Quality:
    """Over `count` pairs of answers: readable replies, exact scores, and right verdicts an answer.

    A verdict is whether the answer is right (a score of 9) or not: what difficulty turns on.
    `flips` is the share of pairs whose better answer changes when the slots are swapped.
    """
    rng = generator("measure judge")
    pairs, prompts = [], []
    for i in range(count):
        shown = scene(split, 500_000 + i, characters()[i % len(NAMES)])
        question = ask(rng, any_type(rng, knowledge_share=0.7))
        first, second = (candidate(rng, shown, question.type) for _ in range(2))
        for pair in ((first, second), (second, first)):
            pairs.append((shown, question, pair))
            variables = {"instruction": question.text, "first": pair[0], "second": pair[1]}
            prompts.append(Prompted(shown, render("assessor", **variables)))
    readable, exact, verdicts, leads = [], [], [], []
    for (shown, question, pair), reply in zip(
        pairs, generate(model, processor, prompts, TEMPERATURE), strict=True
    ):
        found = _SCORES.search(reply)
        readable.append(found is not None)
        given = [int(g) for g in found.groups()] if found else [0, 0]
        due = [score(shown, question.type, answer) for answer in pair]
        exact += [g == d for g, d in zip(given, due, strict=True)]
        verdicts += [(g >= 8) == (d >= 8) for g, d in zip(given, due, strict=True)]
        leads.append((given[0] > given[1]) - (given[0] < given[1]))
    flips = [a != -b for a, b in zip(leads[::2], leads[1::2], strict=True)]
    return {
        "readable": _share(readable),
        "exact_scores": _share(exact),
        "right_verdicts": _share(verdicts),
        "flips": _share(flips),
    }


def augmentor_quality(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, split: Split, count: int
) -> Quality:
    """Over `count` parents: replies that are questions, of the parent's class, of another type."""
    rng = generator("measure augmentor")
    parents, prompts = [], []
    for i in range(count):
        shown = scene(split, 700_000 + i, characters()[i % len(NAMES)])
        parent = ask(rng, any_type(rng, knowledge_share=0.6))
        variables = {"instruction": parent.text, "task_type": class_of(parent.type)}
        parents.append(parent)
        prompts.append(Prompted(shown, render("augmentor", **variables)))
    replies = list(generate(model, processor, prompts, AUGMENTOR_TEMPERATURE))
    children = [read_question(reply) for reply in replies]
    same = [c is not None and c.kind == p.kind for c, p in zip(children, parents, strict=True)]
    new = [
        s and c is not None and c.type != p.type
        for s, c, p in zip(same, children, parents, strict=True)
    ]
    return {
        "well_formed": _share([c is not None for c in children]),
        "same_class": _share(same),
        "other_type": _share(new),
        "distinct": len({c for c in children if c}) / len(questions()),
    }


def _share(outcomes: Sequence[bool]) -> float:
    return sum(outcomes) / len(outcomes)
