"""`parse_scores`: the readers in their order, from the form that was asked for to the loosest prose."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from comd_platform.method.judging import forms, objects, slots, tables
from comd_platform.method.judging.lexing import AMBIGUOUS, Ambiguous, Reply, Scores

Reader = Callable[[Reply], Scores | Ambiguous | None]

# A reader answers with scores, with None ("not my form": the next one is asked), or with AMBIGUOUS ("my
# form, but it says different things": nobody else may guess).
READERS: Final[tuple[Reader, ...]] = (
    forms.first_line,  # 8 9
    forms.two_short_lines,  # A: 8 / B: 9
    objects.json_object,  # {"assistant_1": 8, "assistant_2": 9}
    tables.markdown_table,  # | Assistant 1 | 8 |
    slots.declared_or_labelled,  # Output: (8, 9); Assistant 1: 8/10; "Assistant 2 receives a 9"
    forms.leading,  # 8 9 The first answer ...
    forms.in_prose,  # The scores are 8 and 9.
    forms.two_score_labels,  # Score: 8 ... Score: 9
    forms.own_line,  # Here you are:\n8 9
    forms.after_own_answer,  # olaf . 9 2
)

# A rank, where 1 is best, or a refusal that names numbers all the same.
_NO_SCORES: Final = re.compile(
    r"\b1 ?= ?(?:the )?(?:best|better)\b|\bno scores? (?:can|could) be (?:given|assigned)\b",
    re.IGNORECASE,
)


def parse_scores(text: str) -> tuple[float, float] | None:
    """Return the scores that a judge gave the first and the second answer, as it wrote them.

    The numbers are not clamped: 0 and 11 come back as they are. A score on another scale (4/5, 80 %) or
    a range (7-8) is no score on this one. None where the reply holds no two scores, or where a
    careful reader could take it in more than one way: it is asked again, never guessed.
    Linear in the length of `text` (section 3.3.2; METHOD.md, "What real judge output looks like").
    """
    reply = Reply(text)
    if _NO_SCORES.search(reply.text):
        return None
    for reader in READERS:
        reading = reader(reply)
        if reading is AMBIGUOUS:
            return None
        if reading is not None:
            return reading
    return None
