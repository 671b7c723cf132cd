"""What the views say of themselves: the comment at the top of each one's newest SQL file."""

from __future__ import annotations

import re
from pathlib import Path


def view_descriptions() -> dict[str, str]:
    """View -> the sentences before its CREATE VIEW, of the newest revision that made it."""
    found: dict[str, str] = {}
    for path in sorted(Path(__file__).parent.glob("versions/views_*/*.sql")):
        comment: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("--"):
                comment.append(line.removeprefix("--").strip())
            elif match := re.match(r"CREATE (?:OR REPLACE )?VIEW (\w+)", line):
                found[match[1]] = " ".join(comment)
            elif not line.strip():
                comment.clear()
    return found
