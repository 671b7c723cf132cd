"""The synthetic runs with hostile texts in every place that a page may show."""

from __future__ import annotations

import psycopg
from hostile_texts import HOSTILE

TEXTS = tuple(HOSTILE.values())
NAMES = tuple(text for text in TEXTS if len(text) < 1_000)
"""Those that a name could be: task types, benchmarks, workers, runs."""

RUN = "<b>run</b> [x](http://hostile.invalid/run) :material/delete: $x$"

_LONG = (
    ("instruction", "text"),
    ("answer", "text"),
    ("judgement", "raw"),
    ("augmentation", "raw"),
    ("failure", "detail"),
    ("instruction", "source_record"),
)
_SHORT = (
    ("instruction", "task_type"),
    ("failure", "reason"),
    ("benchmark", "name"),
    ("worker", "host"),
    ("worker", "device"),
    ("work_item", "error"),
    ("iteration_phase", "note"),
)


def poison(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Put the texts into the rows of `synthetic_run.sql`, one after the other by id."""
    for columns, texts in ((_LONG, TEXTS), (_SHORT, NAMES)):
        for table, column in columns:
            place = "row.id" if table != "iteration_phase" else "row.iteration_id"
            # The first of each is the text itself; of what has to be unique, later ones are numbered.
            unique = (table, column) in {("benchmark", "name"), ("instruction", "text")}
            alone = f" || CASE WHEN {place} > {len(texts)} THEN ' ' || {place} ELSE '' END"
            alone = alone if unique else ""
            connection.execute(
                f"UPDATE {table} AS row SET {column} = (%s::text[])[1 + {place} %% %s]{alone}"
                f" WHERE {column} IS NOT NULL OR %s",
                [list(texts), len(texts), column == "error"],
            )
    connection.execute(
        "UPDATE augmentation SET reason = (%s::text[])[1 + id %% %s] WHERE reason IS NOT NULL",
        [list(NAMES), len(NAMES)],
    )
    connection.execute(
        "UPDATE image SET path = (%s::text[])[1 + id %% %s] || '/' || id", [list(NAMES), len(NAMES)]
    )
    connection.execute(
        "UPDATE training_run SET state = 'failed', finished_at = NULL, error = %s,"
        " failure_kind = 'crashed' WHERE id = 5",
        [HOSTILE["markdown image"]],
    )
    connection.execute("UPDATE worker SET name = name || %s", [HOSTILE["markdown image"]])
    connection.execute("UPDATE pool SET name = %s WHERE name IS NOT NULL", [HOSTILE["script"]])
    connection.execute(
        "UPDATE run SET name = %s, config = config || jsonb_build_object('name', %s::text)"
        " WHERE name = 'paper'",
        [RUN, RUN],
    )
    connection.execute(
        "INSERT INTO review (instruction_id, decision, text, note, author)"
        " SELECT id, CASE id % 3 WHEN 0 THEN 'edit' WHEN 1 THEN 'flag' ELSE 'reject' END,"
        " CASE id % 3 WHEN 0 THEN text END, text, source_record FROM instruction"
        " WHERE source_record IS NOT NULL AND id % 4 = 0 AND length(text) < 20000"
    )
    connection.execute("DELETE FROM assessment_cell")
    connection.execute("DELETE FROM judgement_cell")
    connection.execute("SELECT count_cells(id) FROM iteration WHERE phase = 'done'")
