"""How judges write: the spellings of slots, numbers and scales, as patterns.

Every pattern is bounded or runs over each character a fixed number of times: a reply of 100 KB of the
same sign is read in linear time.
"""

from __future__ import annotations

import re
from typing import Final


def words(listed: str) -> frozenset[str]:
    """Return the words of a list that is written as one string."""
    return frozenset(listed.split())


TRANSLATION: Final = str.maketrans(
    "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff1a\uff0c\uff08\uff09\uff0f\uff1b"
    "\u2018\u2019\u201c\u201d\u2013\u2014\u2212\u2011\u00a0\u202f\u2215\u2044\uff5c\t\u2022\u3002\u3001",
    "0123456789:,()/;''\"\"----  //| -.,",
)
THINKING_END: Final = "</think>"
CLEANING: Final = (
    ("", re.compile("[\ufe0f\u20e3]"), ""),  # digits as keycaps
    ("\r", re.compile(r"\r\n?"), "\n"),
    ("<", re.compile(r"</?s>|<\|[^|<>\n]{0,40}\|>"), " "),
    ("<", re.compile(r"</[A-Za-z][\w -]{0,40}>"), "\n"),
    ("<", re.compile(r"<([A-Za-z][\w -]{0,40})>"), r"\n\1: "),
    ("", re.compile(r"\*\*|__|`|\\boxed"), ""),
    ("$", re.compile(r"\$([\d\[({][^$\n]{0,40}[\d\])}]|\d)\$"), r"\1"),
    ("\\", re.compile(r"\\[ ,;]"), " "),
    ("*", re.compile(r"(?<![\w*])\*([^\s*](?:[^*\n]{0,38}[^\s*])?)\*(?![\w*])"), r"\1"),
    ("_", re.compile(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])"), " "),
    ("\\", re.compile(r"\\_"), " "),
    ("", re.compile(r"[-=]>|\u2192"), ":"),
    ("", re.compile(r"^[ ]*(?:[#>]+|[-*+](?=[ ]))[ ]*", re.MULTILINE), ""),
    ("", re.compile(r"[ \f\v]{2,}|[\f\v]"), " "),
    ("", re.compile(r"^ ", re.MULTILINE), ""),
    # a role
    ("", re.compile(r"\A\s*(?i:assistant|answer|response|judge|evaluator) ?: ?(?=\d)"), ""),
    (
        "",
        re.compile(
            r"\b(?i:final answer(?: is)?|therefore|thus|hence),? ?:? ?"
            r"(?=\d{1,2}(?:\.\d)? \d{1,2}(?:\.\d)?\.?$)",
            re.MULTILINE,
        ),
        "final scores: ",
    ),
    ("", re.compile(r"(?<=[: ])[~\u2248](?=\d)"), ""),
    ("vs.", re.compile(r"\bvs\."), "vs"),
    # "Assistant 1 (LLaVA): 8": which model it is
    (
        "(",
        re.compile(
            r"((?i:assistant|answer|response|model) ?[12AB]) \([A-Za-z][\w. -]{0,30}\)(?= ?[:=])"
        ),
        r"\1",
    ),
    # "8 points, 9 points" as a line of its own
    (
        "point",
        re.compile(
            r"^(\d{1,2}(?:\.\d)?) points? ?,? ?(\d{1,2}(?:\.\d)?) points? ?\.?$", re.MULTILINE
        ),
        r"\1 \2",
    ),
    (
        ",",
        re.compile(
            r"((?i:assistant|answer|response|model) ?[12AB] ?[:=] ?\d),(\d)(?=(?: ?/ ?10)?$)",
            re.MULTILINE,
        ),
        r"\1.\2",
    ),
)
"""(what a text must have for the pattern to find anything, pattern, replacement), in this order."""

_NOUNS: Final = (
    r"assistant|answer|response|model|candidate|system|solution|participant|chatbot|bot|agent|ai|llm|"
    r"vlm|caption|description|submission|reply|contestant|output"
)
_PLURAL_VERBS: Final = "are|both|each|receive|get|deserve|score|were|have|respectively"
SLOT_IDS: Final = {
    **dict.fromkeys(("1", "one", "a", "i", "first", "1st", "former"), 1.0),
    **dict.fromkeys(("2", "two", "b", "ii", "second", "2nd", "latter"), 2.0),
}
SPELLED: Final = {
    word: float(value)
    for value, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}
_OF_TEN: Final = (
    r"(?: ?/ ?10(?:\.0+)?(?![\d/]| ?/ ?\d)(?!\.\d)|"
    r" (?i:out of|of)(?: a| the)?(?: (?i:possible|maximum|max|total|perfect))?(?: of)?"
    r" (?:10(?:\.0+)?(?![\d.]\d)|(?i:ten))\b)"
)
TOKEN: Final = re.compile(
    "|".join(
        (
            # what most characters are comes first; the rest is tried where it can begin
            r"(?P<space> +)",
            r"(?P<newline>\n)",
            r"(?P<stop>[.!?;])",
            r"(?P<ampersand>&)",
            r"(?P<punct>[^\s\w(]|\((?!\d))",
            # "1. " at the start of a line numbers a list
            r"(?P<listing>(?m:^)\(?\d{1,2}[.)] (?=[^\d\s]))",
            # Assistants 1 and 2; Assistant 1 and 2 receive
            rf"(?P<slots>\b(?i:{_NOUNS})"
            rf"(?:s #?|s? #?(?=[12AB] (?i:and|&) [12AB],? (?i:{_PLURAL_VERBS})\b))"
            r"(?P<one>[12AB])(?: and | & | ?, ?|/)(?P<two>[12AB])\b(?! ?/ ?\d)(?!\.\d))",
            # Assistant 1; answer #2; [Model B]; response-one
            rf"(?P<slot>\b(?i:{_NOUNS})[ #-]{{0,2}}(?i:number |no\. ?)?[(\[]?"
            r"(?:(?P<id>[12AB]|(?i:one|two)"
            r"(?= ?[:=,.()]|'s| (?i:is|has|was|and|gets|receives|deserves|scores))|"
            r"(?:[ab]|II?)(?= ?[:=]|'s))\b[)\]]?(?! ?/ ?\d)(?!\.\d)(?:'s)?))",
            # Score 1: 8; rating_b = 9
            r"(?P<scored>\b(?i:score|rating)[ #-]{0,2}"
            r"(?P<scored_id>[12AB]|(?i:one|two)|[ab])(?= ?[:=]))",
            # the first assistant; second answer; the former
            rf"(?P<nth>\b(?i:(?P<nth_id>first|second|1st|2nd)(?: ai)? (?:{_NOUNS}|one)(?:'s)?)\b)",
            r"(?P<other>\b(?i:the (?P<other_id>former|latter))\b(?:'s)?)",
            # the second, standing alone
            r"(?P<bare>\b(?i:the (?P<bare_id>first|second))\b(?= ?[:,.;()\n]| ?\Z| (?i:is|was|gets|got|"
            r"receives|received|deserves|earns|scores|scored|and|an?|as|with|at|\d)(?! [a-z]+ing\b)))",
            r"(?P<label>\b(?i:(?P<label_id>first|second|1st|2nd))(?= ?[:=] ?\d))",
            r"(?P<short>\bA(?P<short_id>[12])(?= ?[:=] ?\d))",
            # scales and ranges: 1-10, 1 to 10, between 1 and 10, a scale of 10, 10-point
            r"(?P<range>(?i:between |from )?(?<![\w.])\d{1,3}(?:\.\d)? ?(?:-|~|to|through)"
            r" ?\d{1,3}(?:\.\d+)?\b|"
            r"(?i:between) \d{1,3} (?i:and) \d{1,3}\b|\b(?i:scale of|max(?:imum)? of|out of) \d{1,3}\b|"
            r"\b\d{1,3}[- ](?i:point|star)s?\b(?= (?i:scale|rating))|\b\d{1,3}-(?i:point|star)\b)",
            rf"(?P<spelled>\b(?i:{'|'.join(SPELLED)})\b(?P<spelled_ten>{_OF_TEN})?)",
            r"(?P<grouped>\b\d{1,3}(?:,\d{3})+\b)",
            rf"(?P<number>(?P<value>(?<![\w.])\d+(?:\.\d+)?)(?!\.?\d)(?![A-Za-z_%\u00b0])"
            rf"(?P<ten>{_OF_TEN})?)",
            r"(?P<blob>\d[\w.]*%?)",
            r"(?P<word>[^\W\d_]+(?:'[a-z]+)?)",
            r"(?P<bracket>\()",
        )
    )
)
# A number that is joined to what follows or precedes by one of these is part of a calculation.
OPERATORS: Final = frozenset("+*^\u00d7\u00f7\u221a<>\u2248%\u00b0\u20ac$\u00a3\\")
# Words before a number that it only counts or names: "step 3", "better by 2 points".
NAMING: Final = words(
    "step steps part question image picture figure line number no example section point item option "
    "type page chapter turn sentence paragraph version task equation by than minus plus deduct "
    "deducted lost loses year previously formerly"
)
# Between one of these and a "but" stand scores that the judge takes back.
TAKEN_BACK: Final = words("initially originally tentatively")
CRITERIA: Final = words(
    "usefulness helpfulness relevance relevancy accuracy correctness detail details depth completeness "
    "clarity coherence conciseness creativity fluency factuality comprehensiveness"
)
