"""Text that we did not write, before Streamlit sees it.

Streamlit draws most strings as Markdown: headings, captions, alerts, buttons, labels of widgets, the
options of pills, values of metrics. Such a string passes through `markdown`. What Streamlit draws as
text anyway (`st.text`, `st.code`, cells of `st.dataframe`, options of `st.selectbox`, charts) passes
through `comd_platform.plain`.
"""

from __future__ import annotations

import re

from comd_platform.plain import line

_JOINER = "\u2060"
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# What Streamlit or GitHub's Markdown still reads in an escaped text: `:emoji:`, addresses, arrows.
_READ_AGAIN = re.compile(
    r"(?<=[:@])|(?<=[!-/:-@\[-`{-~])(?=[!-/:-@\[-`{-~])|(?<=\bwww)(?=\.)", re.IGNORECASE
)


def markdown(text: object, limit: int = 200) -> str:
    """`line`, written so that Markdown shows the very same characters and nothing else.

    Every punctuation mark is escaped; an invisible U+2060 parts what would be read again afterwards.
    """
    parted = _READ_AGAIN.sub(_JOINER, line(text, limit))
    return _PUNCTUATION.sub(r"\\\1", parted)
