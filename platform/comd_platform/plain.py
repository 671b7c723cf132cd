"""Text that comd did not write (models', data's, names') as text: seen as it is, and doing nothing.

Text alone can hide or reorder what is read, and steer a terminal. What people read, in the dashboard as
in the terminal, passes through here; files and JSON carry it as it is.
"""

from __future__ import annotations

import re
import unicodedata

SHOWN = 20_000
"""Characters of one text that a page shows at most; the rest is counted."""

# Joiners that scripts and emoji need; anywhere else they only hide.
_SCRIPT_JOINERS = "\u200c\u200d"
_CONTROL_PICTURES = 0x2400
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
