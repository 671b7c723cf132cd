"""How much memory a tokenised training set takes: `python token_memory.py ROOM COUNT` prints MiB.

Examples of some hundred words each are written, tokenised, opened again and read here and there, in
this process; what counts is its own memory at its peak, above what the imports took. Pages of the
mapped file are the system's: it takes them back when it needs room.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WORDS = 120


def main() -> None:
    room, count = Path(sys.argv[1]), int(sys.argv[2])
    from comd_training.collate import Collator, Dialogues
    from comd_training.examples import write_examples
    from comd_training.tokens import open_tokens

    collator = Collator(processor(), room, 2048, frozenset({"</s>"}))
    source = room / f"{count}.parquet"
    write_examples(source, dialogues(1000))
    open_tokens(room / "warm", source, collator)  # what libraries take once
    watch = Watch()
    write_examples(source, dialogues(count))
    open_tokens(room / "tokens", source, collator)
    found = Dialogues(open_tokens(room / "tokens", source, collator))
    chosen = random.Random(0)
    for _ in range(1000):
        assert found[chosen.randrange(count)].tokens is not None
    print(round(watch.peak()))


def dialogues(count: int) -> Iterator[Any]:
    from comd_training.examples import Dialogue, Turn

    for number in range(count):
        said = " ".join(f"w{(number * 7 + place) % 5000}" for place in range(WORDS))
        turn = Turn(f"key-{number}", f"what is w{number % 5000} ?", said)
        yield Dialogue(f"d{number:08}", None, "before", (turn,))


def processor() -> Any:
    """A tokenizer of words with Vicuna's template, as far as a collator asks for a processor."""
    import importlib.resources
    from types import SimpleNamespace

    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    known = ["<pad>", "<s>", "</s>", "<unk>", *(f"w{number}" for number in range(5000))]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(known)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    shipped = importlib.resources.files("comd_training") / "templates" / "vicuna_v1.jinja"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )
    return SimpleNamespace(tokenizer=tokenizer, chat_template=shipped.read_text())


class Watch:
    """The most anonymous memory that this process holds, in MiB above what it held at first."""

    def __init__(self) -> None:
        self._before = self._most = anonymous()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def peak(self) -> float:
        self._over.set()
        self._thread.join()
        return self._most - self._before

    def _look(self) -> None:
        while not self._over.wait(0.01):
            self._most = max(self._most, anonymous())


def anonymous() -> float:
    told = Path("/proc/self/status").read_text()
    (line,) = [line for line in told.splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


main()
