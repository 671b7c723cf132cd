"""rensa signs the bags of words of a JSON file; the last line of output is the seconds it took.

Run in an environment of its own: `python rensa_client.py BAGS PERMUTATIONS SEED`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rensa import RMinHash


def main() -> None:
    bags = json.loads(Path(sys.argv[1]).read_text())
    permutations, seed = int(sys.argv[2]), int(sys.argv[3])
    started = time.perf_counter()
    for bag in bags:
        signed = RMinHash(num_perm=permutations, seed=seed)
        signed.update(bag)
        signed.digest()
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
