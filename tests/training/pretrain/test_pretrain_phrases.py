"""Noun phrases: one form from both extractors, and clear words where one is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from comd_training.pretrain.phrases import (
    BundledExtractor,
    ExtractorMissing,
    SpacyExtractor,
    make_extractor,
)

EXPECTED = {
    "an angler fishes river on a snowy day .": "snowy day",
    "the player staring intently at a computer screen .": "computer screen",
    "His Dog near THE old red barn": "old red barn",
    "a black - and - white photo of my sister 's cat": "cat",
}


@pytest.fixture(scope="module")
def bundled() -> BundledExtractor:
    return BundledExtractor()


@pytest.mark.parametrize("caption", EXPECTED)
def test_the_bundled_extractor_finds_the_phrase(bundled: BundledExtractor, caption: str) -> None:
    (found,) = bundled.phrases([caption])
    assert any(phrase.endswith(EXPECTED[caption]) for phrase in found), found


def test_determiners_case_and_repetition_do_not_make_another_concept(
    bundled: BundledExtractor,
) -> None:
    captions = ["a dog and the dog", "his dog", "Dogs", "A DOG !"]
    assert list(bundled.phrases(captions)) == [["dog"], ["dog"], ["dogs"], ["dog"]]


def test_captions_without_a_noun_phrase_have_none(bundled: BundledExtractor) -> None:
    assert list(bundled.phrases(["", " ", "- - !", "and then ?"])) == [[], [], [], []]


def test_the_bundled_extractor_says_that_it_is_not_spacy(bundled: BundledExtractor) -> None:
    assert "bundled" in bundled.name
    assert "not spaCy" in bundled.name


def test_a_missing_spacy_model_names_both_ways_out() -> None:
    with pytest.raises(ExtractorMissing, match="not on PyPI") as caught:
        make_extractor("en_core_web_none")
    assert caught.value.hint is not None
    assert "python -m spacy download en_core_web_none" in caught.value.hint
    assert "--model bundled" in caught.value.hint


def test_a_spacy_pipeline_that_cannot_find_noun_phrases_is_refused(tmp_path: Path) -> None:
    import spacy

    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ExtractorMissing, match="no tagger and parser"):
        make_extractor(str(tmp_path / "blank"))


def test_spacy_phrases_come_in_the_same_form(tmp_path: Path) -> None:
    path = tmp_path / "taught"
    _taught(path)
    extractor = SpacyExtractor(str(path))
    assert list(extractor.phrases(["the dog sees a red cat", "a red dog"])) == [
        ["dog", "red cat"],
        ["red dog"],
    ]
    assert extractor.name.startswith("spacy en_pipeline")


def _taught(path: Path) -> None:
    """A real spaCy pipeline that was taught a few sentences by heart: the models are not on PyPI."""
    import spacy
    from spacy.training import Example

    spacy.util.fix_random_seed(0)
    pipeline = spacy.blank("en")
    pipeline.add_pipe("tagger")
    pipeline.add_pipe("attribute_ruler")
    pipeline.add_pipe("parser", config={"min_action_freq": 1})
    sentences = [
        ("the dog sees a red cat", "DT NN VBZ DT JJ NN", [1, 2, 2, 5, 5, 2]),
        ("a red dog", "DT JJ NN", [2, 2, 2]),
    ]
    labels = {"DT": "det", "JJ": "amod", "NN": "dobj", "VBZ": "ROOT"}
    examples = []
    for text, tags, heads in sentences:
        names = tags.split()
        deps = [
            "ROOT" if head == at else labels[name]
            for at, (name, head) in enumerate(zip(names, heads, strict=True))
        ]
        told = {"tags": names, "heads": heads, "deps": deps}
        examples.append(Example.from_dict(pipeline.make_doc(text), told))
    optimizer = pipeline.initialize(lambda: examples)
    coarse = {"DT": "DET", "JJ": "ADJ", "NN": "NOUN", "VBZ": "VERB"}
    for tag, pos in coarse.items():
        pipeline.get_pipe("attribute_ruler").add([[{"TAG": tag}]], {"POS": pos})  # type: ignore[attr-defined]
    for _ in range(30):
        pipeline.update(examples, sgd=optimizer)
    pipeline.to_disk(path)
