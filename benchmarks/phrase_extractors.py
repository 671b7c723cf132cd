"""How far the bundled extractor finds what a spaCy model finds, and what that changes.

    python benchmarks/phrase_extractors.py CAPTIONS.tsv --model en_core_web_sm

Prints precision, recall and F1 of the bundled phrases against spaCy's on a seeded half of the
captions (the other half served to choose the pattern), captions/s of both, and by how much the two
selections over all captions agree.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from comd_training.pretrain.filtering import filter_captions
from comd_training.pretrain.pairs import Pair, read_pairs
from comd_training.pretrain.phrases import BUNDLED, make_extractor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captions", type=Path)
    parser.add_argument("--model", default="en_core_web_sm")
    asked = parser.parse_args()
    captions = [found.caption for found in read_pairs(asked.captions) if isinstance(found, Pair)]
    random.Random(1).shuffle(captions)
    held_out = captions[len(captions) // 2 :]
    found: dict[str, list[set[str]]] = {}
    for model in (BUNDLED, asked.model):
        extractor = make_extractor(model)
        began = time.perf_counter()
        found[model] = [set(phrases) for phrases in extractor.phrases(held_out)]
        rate = len(held_out) / (time.perf_counter() - began)
        print(f"{extractor.name}: {rate:,.0f} captions/s in one process")
    ours, theirs = found[BUNDLED], found[asked.model]
    common = sum(len(a & b) for a, b in zip(ours, theirs, strict=True))
    precision, recall = common / sum(map(len, ours)), common / sum(map(len, theirs))
    f1 = 2 * precision * recall / (precision + recall)
    print(f"{len(held_out):,} captions: P {precision:.3f}, R {recall:.3f}, F1 {f1:.3f}")
    kept = {}
    for model in (BUNDLED, asked.model):
        with tempfile.TemporaryDirectory() as out:
            report = filter_captions([asked.captions], Path(out), model=model)
            lines = (Path(out) / "pairs.jsonl").read_text().splitlines()
            kept[model] = {json.loads(line)["image"] for line in lines}
            print(f"{model}: {report.counts}")
    both, either = kept[BUNDLED] & kept[asked.model], kept[BUNDLED] | kept[asked.model]
    print(
        f"selected by both {len(both):,}, by either {len(either):,}: {len(both) / len(either):.3f}"
    )


if __name__ == "__main__":
    main()
