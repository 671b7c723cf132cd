"""The selection in DuckDB: out of core, on every core, the same rows for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import duckdb

_OCCURRENCE = "CREATE TABLE occurrence AS SELECT DISTINCT pair, phrase FROM read_parquet(?)"

_PAIRS_OUT = """
COPY (
  SELECT min(id) AS id, image, caption, phrase, frequency
  FROM read_parquet('{pairs}') JOIN selected USING (pair)
  GROUP BY pair, image, caption, phrase, frequency
  ORDER BY frequency, phrase, pair
) TO '{out}' (FORMAT json)
"""

# Phrases with their frequency over all pairs and over the selected ones.
_PHRASES_TABLE = """
CREATE TABLE phrase AS
SELECT occurrence.phrase, count(*) AS before, count(selected.pair) AS after
FROM occurrence LEFT JOIN selected USING (pair)
GROUP BY occurrence.phrase
"""

_COUNTS = """
SELECT
  (SELECT count(DISTINCT pair) FROM read_parquet($pairs)) AS pairs,
  (SELECT count(DISTINCT pair) FROM occurrence) AS with_phrases,
  (SELECT count(*) FROM selected) AS selected,
  count(*) AS phrases,
  count(*) FILTER (before < $minimum) AS phrases_rare,
  count(*) FILTER (before >= $minimum) AS phrases_kept,
  count(*) FILTER (before > $cap) AS phrases_cut
FROM phrase
"""

# A long tail has millions of ranks; 40 a decade draw the same line.
_CURVE = """
SELECT max(rank) AS rank, arg_max({column}, rank) AS frequency
FROM (
  SELECT {column}, row_number() OVER (ORDER BY {column} DESC) AS rank FROM phrase WHERE {column} > 0
)
GROUP BY floor(40 * log10(rank))
ORDER BY rank
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """minimum: pairs of a phrase that counts; cap: pairs that one phrase may bring."""

    minimum: int = 3
    cap: int = 100
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What the selection saw and left. `pairs` are distinct ones; `phrases_*` are phrases."""

    pairs: int
    with_phrases: int
    selected: int
    phrases: int
    phrases_rare: int
    phrases_kept: int
    phrases_cut: int


@dataclass(frozen=True, slots=True)
class Curves:
    """Frequency by rank, most frequent first, before and after: (rank, pairs)."""

    before: list[tuple[int, int]]
    after: list[tuple[int, int]]


def select_pairs(
    pairs: Path,
    phrases: Path,
    out: Path,
    rule: Rule,
    *,
    memory: str = "8GB",
    threads: int | None = None,
) -> tuple[Counts, Curves]:
    """Write `pairs.jsonl` and `phrases.parquet` into `out` from folders of shards.

    memory: what DuckDB may hold before it spills to `out/.select`, as DuckDB writes sizes.
    """
    with _scratch(out, memory, threads) as database:
        database.execute(_OCCURRENCE, [f"{phrases}/*.parquet"])
        statement = resources.files(__package__).joinpath("select.sql").read_text(encoding="utf-8")
        database.execute(
            f"CREATE TABLE selected AS {statement}",
            {"minimum": rule.minimum, "cap": rule.cap, "seed": str(rule.seed)},
        )
        database.execute(_PHRASES_TABLE)
        _write(database, _PAIRS_OUT, out / "pairs.jsonl", pairs=f"{pairs}/*.parquet")
        _write(
            database,
            "COPY (FROM phrase ORDER BY before, phrase) TO '{out}' (FORMAT parquet)",
            out / "phrases.parquet",
        )
        asked = {"pairs": f"{pairs}/*.parquet", "minimum": rule.minimum, "cap": rule.cap}
        row = database.execute(_COUNTS, asked).fetchone()
        assert row is not None  # aggregates always give one
        return Counts(*row), Curves(_curve(database, "before"), _curve(database, "after"))


@contextmanager
def _scratch(out: Path, memory: str, threads: int | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database on disk for as long as it takes; what an interrupted one left is removed."""
    file = out / ".select.duckdb"
    leftovers = (file, file.with_name(f"{file.name}.wal"))
    for path in leftovers:
        path.unlink(missing_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "preserve_insertion_order": "false",
    }
    if threads is not None:
        config["threads"] = str(threads)
    try:
        with duckdb.connect(str(file), config=config) as database:
            yield database
    finally:
        for path in leftovers:
            path.unlink(missing_ok=True)


def _write(database: duckdb.DuckDBPyConnection, statement: str, target: Path, **names: str) -> None:
    """COPY aside, then rename. COPY takes no parameters, so names are quoted into it."""
    aside = target.with_name(f".{target.name}.tmp")
    quoted = {
        name: value.replace("'", "''") for name, value in (names | {"out": str(aside)}).items()
    }
    database.execute(statement.format(**quoted))
    aside.rename(target)


def _curve(database: duckdb.DuckDBPyConnection, column: str) -> list[tuple[int, int]]:
    return [
        (int(rank), int(n)) for rank, n in database.execute(_CURVE.format(column=column)).fetchall()
    ]
