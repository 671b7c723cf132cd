"""Text that we did not write (models', data's, names') as text: seen as it is, and doing nothing.

Streamlit draws most strings as Markdown: headings, captions, alerts, buttons, labels of widgets, the
options of pills, values of metrics. Such a string passes through `markdown`. What Streamlit draws as
text anyway (`st.text`, `st.code`, cells of `st.dataframe`, options of `st.selectbox`, charts) passes
through `plain`, since text alone can still hide or reorder what is read.
"""

from __future__ import annotations

import re
import unicodedata

SHOWN = 20_000
"""Characters of one text that a page shows at most; the rest is counted."""

_JOINER = "\u2060"
# Joiners that scripts and emoji need; anywhere else they only hide.
_SCRIPT_JOINERS = "\u200c\u200d"
_CONTROL_PICTURES = 0x2400
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# What Streamlit or GitHub's Markdown still reads in an escaped text: `:emoji:`, addresses, arrows.
_READ_AGAIN = re.compile(
    r"(?<=[:@])|(?<=[!-/:-@\[-`{-~])(?=[!-/:-@\[-`{-~])|(?<=\bwww)(?=\.)", re.IGNORECASE
)
_BLANK = re.compile(r"\s+")
_UNUSUAL = re.compile(r"[^\n\t -~]")


def plain(text: object, limit: int = SHOWN) -> str:
    """`text` with everything invisible made visible, cut after `limit` characters.

    Control characters (the escape of ANSI codes, say) become their pictures (␛); marks that turn
    the direction of writing or have no width become their number, ⟨U+202E⟩. Tabs and line ends stay.
    """
    whole = str(text).replace("\r\n", "\n")
    shown = _UNUSUAL.sub(_seen, whole[:limit])
    left_out = len(whole) - limit
    return f"{shown}\n… {left_out:,} more characters" if left_out > 0 else shown


def line(text: object, limit: int = 200) -> str:
    """The same on one line, for cells and titles: blanks become one space, the rest an ellipsis."""
    whole = _BLANK.sub(" ", str(text)[: 4 * limit]).strip()
    cut = len(whole) > limit or len(str(text)) > 4 * limit
    return plain(whole[:limit]) + ("…" if cut else "")


def markdown(text: object, limit: int = 200) -> str:
    """`line`, written so that Markdown shows the very same characters and nothing else.

    Every punctuation mark is escaped; an invisible U+2060 parts what would be read again afterwards.
    """
    parted = _READ_AGAIN.sub(_JOINER, line(text, limit))
    return _PUNCTUATION.sub(r"\\\1", parted)


def _seen(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character if not _hides(character) else _named(character)
    code = ord(character)
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == 0x7F:
        return "\u2421"
    if character in _SCRIPT_JOINERS and _joins(match.string, match.start()):
        return character
    return " " if unicodedata.category(character) == "Zs" else _named(character)


def _hides(character: str) -> bool:
    """Printable to Python, and yet drawn as nothing: the fillers of Hangul, and braille's blank."""
    return character in "\u115f\u1160\u3164\uffa0\u2800"


def _joins(text: str, place: int) -> bool:
    """Whether a joiner stands between two letters, marks or emoji beyond ASCII, as scripts use it."""
    around = text[place - 1 : place] + text[place + 1 : place + 2]
    return len(around) == 2 and all(
        ord(each) > 0x7F and unicodedata.category(each)[0] in "LMS" for each in around
    )


def _named(character: str) -> str:
    return f"\u27e8U+{ord(character):04X}\u27e9"
