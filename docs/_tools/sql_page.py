"""Write docs/sql.md: every question in docs/sql, and what it answers on the demo's run.

    comd demo && python docs/_tools/sql_page.py        # or: make docs-pages

Each file starts with the question as a comment, then an explanation, then the statement.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1]
PAGE = DOCS / "sql.md"
WIDTH = 118  # what fits on a page without a scroll bar for most of them

HEAD = """\
# Questions to ask

Everything that happened in a run is a row, so every question about it is a query. `comd sql` opens
psql; `comd sql "SELECT …"` or `comd sql -f FILE` asks one question, as a user who may only read, and
prints a table, or CSV (`--csv`) or JSON (`--json`). Tables and views are described on
[their page](schema.md) and by `comd schema NAME`.

Below are the questions that people have first. Each stands in a file of its own in `docs/sql/`, asks
about the run `demo-0`, which `comd demo` makes, and shows what it answered there. For a run of your
own, put its name in the place of `demo-0`:

    sed s/demo-0/my-run/ docs/sql/01_most_descendants.sql | comd sql
"""


@dataclass(frozen=True, slots=True)
class Question:
    """One file: the question, what to know about its answer, the statement as it is pasted."""

    file: Path
    title: str
    explanation: str
    statement: str


def questions() -> list[Question]:
    """In the order of their numbers."""
    return [_read(path) for path in sorted((DOCS / "sql").glob("*.sql"))]


def section(question: Question, answer: str) -> str:
    """A question with its query and the answer as printed."""
    return (
        f"## {question.title}\n\n{question.explanation}\n\n"
        f"```sql\n{question.statement}```\n\n```text\n{answer.rstrip()}\n```\n"
    )


def _read(path: Path) -> Question:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    comment = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    statement = "".join(line for line in lines if not line.startswith("--"))
    return Question(path, comment[0], " ".join(comment[1:]), statement)


def _answer(question: Question) -> str:
    asked = [sys.executable, "-m", "comd_workers", "sql", "-f", str(question.file)]
    done = subprocess.run(  # noqa: S603 - ourselves
        asked,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": str(WIDTH), "TERM": "dumb"},
    )
    if done.returncode != 0:
        raise SystemExit(f"{question.file.name}: {done.stderr}")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def main() -> None:
    """Ask all of them of the database at hand."""
    sections = [section(question, _answer(question)) for question in questions()]
    PAGE.write_text("\n".join([HEAD, *sections]), encoding="utf-8")


if __name__ == "__main__":
    main()
