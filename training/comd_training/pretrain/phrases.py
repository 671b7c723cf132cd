"""Noun phrases of captions: spaCy's, as in the paper, or a small extractor that needs no download.

Both give phrases in one form: lower case, without determiners, possessives and pronouns in front,
so that "a dog", "the dog" and "his dog" are one concept. Each phrase counts once a caption.
"""

from __future__ import annotations

import importlib.metadata
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from comd_platform.errors import ComdError

BUNDLED = "bundled"
_SPACY_BATCH = 256

# Penn tags of what introduces a noun phrase without naming anything.
_INTRODUCES = frozenset({"DT", "PDT", "PRP$", "PRP", "POS", "WP", "WP$", "WDT", "WRB", "EX"})
_WORD = re.compile(r"\w")


class ExtractorMissing(ComdError):
    """The tagger that was asked for is not installed here."""


class Extractor(Protocol):
    """Named so that a report can say who found the phrases."""

    name: str

    def phrases(self, captions: Iterable[str]) -> Iterator[list[str]]:
        """The distinct noun phrases of each caption, sorted, in the order of the captions."""
        ...


def make_extractor(model: str) -> Extractor:
    """`bundled`, a spaCy model's name, or the directory of one. Raises ExtractorMissing."""
    return BundledExtractor() if model == BUNDLED else SpacyExtractor(model)


class SpacyExtractor:
    """spaCy's noun chunks (section 3.2)."""

    def __init__(self, model: str) -> None:
        try:
            import spacy
        except ImportError as error:
            raise ExtractorMissing("spaCy is not installed", hint=_hint(model)) from error
        try:
            self._pipeline = spacy.load(model, exclude=["ner", "lemmatizer", "senter"])
        except OSError as error:
            raise ExtractorMissing(
                f"spaCy has no model {model!r}, and it is not on PyPI", hint=_hint(model)
            ) from error
        if not {"tagger", "parser"} <= set(self._pipeline.pipe_names):
            raise ExtractorMissing(
                f"the spaCy model {model!r} has no tagger and parser, which find noun phrases"
            )
        meta = self._pipeline.meta
        self.name = f"spacy {meta['lang']}_{meta['name']} {meta['version']}"

    def phrases(self, captions: Iterable[str]) -> Iterator[list[str]]:
        for document in self._pipeline.pipe(captions, batch_size=_SPACY_BATCH):
            yield _distinct([(t.text, t.tag_) for t in chunk] for chunk in document.noun_chunks)


def _hint(model: str) -> str:
    name = "en_core_web_sm" if Path(model).is_absolute() else model
    return (
        f"pip install 'comd[spacy]' && python -m spacy download {name}"
        f"\n  or take the extractor that comes with comd: --model {BUNDLED}"
    )


# One letter a token: N noun, J adjective, C number, V and G participles, R adverb, D determiner,
# p possessive, h hyphen. Phrases end in a noun; a participle belongs to one only after a determiner
# or an adjective ("the painted wall", not "a wall painted …").
_PHRASE = re.compile(
    r"(?:[JCN]|(?<=[DJ])[VG]|(?<![a-zA-Z])V|(?<=D)R(?=J)|Np|[JNCR]h|[JNCR]h[VG])*N"
)
_LETTERS = (("NN", "N"), ("JJ", "J"), ("VBN", "V"), ("VBG", "G"), ("CD", "C"), ("RB", "R"))


class BundledExtractor:
    """TextBlob's lexicon tagger, whose data come in its wheel, and a pattern over its tags.

    Several times as fast as spaCy's small model, and of the same opinion in seven phrases of eight
    (docs/pretraining.md has the figures).
    """

    def __init__(self) -> None:
        try:
            from textblob.en import tag
        except ImportError as error:
            raise ExtractorMissing(
                "the bundled extractor stands on TextBlob, which is not installed",
                hint="pip install 'comd[pretrain]'",
            ) from error
        self._tag: Any = tag
        with warnings.catch_warnings():
            # It loads its lexicon at the first word, and leaves closing the files to the collector.
            warnings.simplefilter("ignore", ResourceWarning)
            tag("a word")
        self.name = f"bundled (textblob {importlib.metadata.version('textblob')}, not spaCy)"

    def phrases(self, captions: Iterable[str]) -> Iterator[list[str]]:
        for caption in captions:
            tagged = [(str(word), str(tag)) for word, tag in self._tag(caption)]
            letters = "".join(_letter(word, tag) for word, tag in tagged)
            found = _PHRASE.finditer(letters)
            yield _distinct(tagged[match.start() : match.end()] for match in found)


def _letter(word: str, tag: str) -> str:
    if word in {"'s", "'"} or tag == "POS":
        return "p"
    if not _WORD.search(word):
        return "h" if word == "-" else "x"
    if tag in {"DT", "PRP$"}:
        return "D"
    return next((letter for prefix, letter in _LETTERS if tag.startswith(prefix)), "x")


def _distinct(chunks: Iterable[Sequence[tuple[str, str]]]) -> list[str]:
    return sorted({phrase for chunk in chunks if (phrase := _concept(chunk))})


def _concept(chunk: Sequence[tuple[str, str]]) -> str:
    """The phrase that a chunk of (word, Penn tag) names; "" where it names nothing."""
    start, end = 0, len(chunk)
    while start < end and (chunk[start][1] in _INTRODUCES or not _WORD.search(chunk[start][0])):
        start += 1
    while start < end and not _WORD.search(chunk[end - 1][0]):
        end -= 1
    return " ".join(word.lower() for word, _ in chunk[start:end])
