"""What becomes of texts that we did not write, before Streamlit sees them."""

from __future__ import annotations

import unicodedata

import pytest
from hostile_texts import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from comd_dashboard.plain import markdown
from comd_platform.plain import SHOWN, line, plain

TEXTS = st.one_of(st.text(), st.sampled_from(sorted(HOSTILE.values())))


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_nothing_invisible_is_left(name: str) -> None:
    for shown in (plain(HOSTILE[name]), line(HOSTILE[name])):
        hidden = {
            character
            for character in shown
            if unicodedata.category(character) in {"Cc", "Cf"} and character not in "\n\t"
        }
        assert not hidden


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    for text in ("Größe?\n\tzwei", "نمی‌خواهم", "क्‍ष", "👩‍💻 works", "東京はどこ。", "a | b <c> $5"):
        assert plain(text) == text


def test_what_hides_is_named() -> None:
    assert plain("\x1b[1m") == "␛[1m"
    assert plain("a\u202eb") == "a⟨U+202E⟩b"
    assert plain("in\u200dvisible") == "in⟨U+200D⟩visible"
    assert plain("line\r\nline\rover") == "line\nline␍over"


def test_a_long_text_is_cut_and_says_so() -> None:
    shown = plain("x" * (SHOWN + 5))
    assert shown == "x" * SHOWN + "\n… 5 more characters"
    assert line("a\n b " * 100, 9) == "a b a b a…"
    assert len(line("w" * 10_000_000)) == 201


@given(TEXTS)
def test_markdown_reads_back_as_the_very_same_text(text: str) -> None:
    """By a CommonMark reader: one paragraph, nothing in it but text."""
    escaped = markdown(text)
    tokens = MarkdownIt("commonmark").parse("x " + escaped + " x")
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert {child.type for child in children} <= {"text", "text_special"}
    read = "".join(child.content for child in children).replace("\u2060", "")
    assert read.split() == ["x", *line(text).split(), "x"]
