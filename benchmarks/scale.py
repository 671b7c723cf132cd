"""docs/scale.md: a plan past one machine, worked out from what `make bench` measured.

The text is scale.md beside it. Whatever is measured is looked up in the kept results by its
row's name; what is assumed stands in ASSUMED, and on the page. `benchmarks/run.py` writes the page at
its end.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

from comd_platform.config.run import RoleConfig

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "scale.md"

INSTRUCTIONS = 50_000_000
GPUS = 100
ITERATIONS = 4

# Of the cache pool in the end, in the paper's proportions (220, 84, 90, 110 thousand of 504).
ASSESSED = (220 + 304 + 394 + 504) / 504
SOURCES = 1.25 * (84 + 90 + 110) / 504

ASSUMED = {
    "picture_kb": 150.0,
    "prompt_tokens": 640,
    "answer_tokens": 60,
    "judge_prompt_tokens": 1_100,
    "judge_tokens": 40,
    "batch": RoleConfig.model_fields["batch"].default,
}
PER_GPU = (2, 5, 10, 20)  # requests a second and card

MEASURED = {
    "labelling": "Labelling through the openai engine, 1",
    "assessment": "Assessment: student answer, two judgements",
    "ledger": "Ledger, claim and complete one by one, 4",
    "import": r"Import of a LLaVA file, [\d,]+ pictures",
}
# Of the made-up run of 5 million that benchmarks/reports.py keeps: pg_database_size / instructions.
BYTES_AN_INSTRUCTION = 28e9 / 5.04e6

TEXT = HERE / "scale.md"


def rates(results: dict[str, Any]) -> dict[str, float]:
    """Units a second of each row in MEASURED. Raises LookupError, which names a missing row."""
    found = {}
    for name, pattern in MEASURED.items():
        row = next((row for row in results["rows"] if re.match(pattern, row["what"])), None)
        if row is None:
            raise LookupError(f"no row is called {pattern!r}: has it another name now?")
        found[name] = row["amount"] / statistics.median(row["seconds"][row["ours"]])
    return found


def plan(rate: dict[str, float], middle: int = 10) -> dict[str, Any]:
    """Every number of the page, from the measured rates; `middle`: requests a second and card."""
    size = INSTRUCTIONS / 1e6
    requests = {
        "label": size,
        "answer": size * ASSESSED,
        "judge": 2 * size * ASSESSED,
        "augment": size * SOURCES,
    }
    reads = {name: ASSUMED["prompt_tokens"] / 1e3 * n for name, n in requests.items()}
    writes = {name: ASSUMED["answer_tokens"] / 1e3 * n for name, n in requests.items()}
    reads["judge"] = ASSUMED["judge_prompt_tokens"] / 1e3 * requests["judge"]
    writes["judge"] = ASSUMED["judge_tokens"] / 1e3 * requests["judge"]
    total = sum(requests.values())
    lines = []
    for each in PER_GPU:
        speed = each * GPUS
        lines.append(
            f"| {each} requests/s | {speed:,} requests/s | {total * 1e6 / speed / 86_400:.1f} |"
            f" {speed / ASSUMED['batch']:,.0f} | {speed:,} | {_megabytes(speed):,.0f} MB/s |"
        )
    speed = middle * GPUS
    assessment_rows = 4 * rate["assessment"]  # an answer, two judgements, an assessment
    return {
        "instructions": round(size),
        "gpus": GPUS,
        "middle": middle,
        "seeds": size * 220 / 504,
        **requests,
        **{f"{name}_in": value for name, value in reads.items()},
        **{f"{name}_out": value for name, value in writes.items()},
        "requests": total,
        "tokens_in": sum(reads.values()),
        "tokens_out": sum(writes.values()),
        "judge_share": 100 * reads["judge"] / sum(reads.values()),
        "table": "\n".join(lines),
        "labelling": rate["labelling"],
        "workers": max(1, -(-speed // rate["labelling"])),
        "assessment_rows": assessment_rows,
        "assessment_machines": speed / assessment_rows,
        "ledger": rate["ledger"],
        "ledger_share": 100 * speed / ASSUMED["batch"] / rate["ledger"],
        "import_rate": rate["import"],
        "import_minutes": size * 1e6 * 220 / 504 / rate["import"] / 60,
        "bytes_each": BYTES_AN_INSTRUCTION / 1e3,
        "disk": BYTES_AN_INSTRUCTION * INSTRUCTIONS / 1e9,
        "images": _megabytes(speed),
        "rows": float(speed),
        "items": speed / ASSUMED["batch"],
        "known_gb": 430 * INSTRUCTIONS / 1e9,  # id, key and two scores, as Python holds them
        "judgements": requests["judge"],
        "judgement_gb": 5.3e9 / 30.8e6 * requests["judge"] * 1e6 / 1e9,
        **ASSUMED,
    }


def write_page(results: dict[str, Any], path: Path = PAGE) -> None:
    """(Re)write docs/scale.md from the kept results. Raises LookupError where a row is missing."""
    path.write_text(
        TEXT.read_text().format(
            **plan(rates(results)),
            command=results["command"],
            date=results["date"],
            cores=results["machine"]["cores"],
            cpu=results["machine"]["cpu"],
        )
    )


def _megabytes(requests: float) -> float:
    """A second, of pictures read for so many requests a second."""
    return requests * ASSUMED["picture_kb"] / 1e3


if __name__ == "__main__":
    write_page(json.loads(Path(sys.argv[1]).read_text()))
