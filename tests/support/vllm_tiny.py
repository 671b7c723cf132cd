"""The stub of `vllm serve` with a model in it: serves tiny weights through comd's own hf engine.

A request's seed decides its text, whatever it is batched with, so that what comes back through the
server is what the engine would have said without it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import queue
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import torch
from vllm_stub import Stub, arguments, note_start

from comd_platform.config.engines import HfConfig
from comd_workers.engines.base import Completion, Request, Sampling
from comd_workers.engines.hf import open_engine

Asked = tuple[Request, Sampling, "Future[Completion]"]


class TinyServer(Stub):
    """Handlers wait; one thread takes what has gathered and runs it as a batch."""

    def __init__(self, options: argparse.Namespace, pictures: Path) -> None:
        super().__init__(options, {}, 1)
        self.pictures = pictures
        self.engine = open_engine(
            HfConfig(model=options.model, device="cpu", dtype="float32", batch_size=64)
        )
        self.waiting: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        threading.Thread(target=self.batches, daemon=True).start()

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "prompt_logprobs" in body:
            return 200, {"choices": [], "prompt_logprobs": self.prompt_logprobs(body)}
        answer: Future[Completion] = Future()
        self.waiting.put((self.request(body), sampling(body), answer))
        said = answer.result()
        if said.error is not None:
            return 400, {"error": {"message": said.error}}
        choice = {"message": {"content": said.text}, "finish_reason": said.finish_reason}
        tokens = {
            "prompt_tokens": said.prompt_tokens,
            "completion_tokens": said.completion_tokens,
        }
        return 200, {"choices": [choice], "usage": tokens}

    def batches(self) -> None:
        while True:
            gathered = [self.waiting.get()]
            while not self.waiting.empty() and len(gathered) < 64:
                gathered.append(self.waiting.get())
            for decoding in {asked[1] for asked in gathered}:
                batch = {str(i): asked for i, asked in enumerate(gathered) if asked[1] == decoding}
                requests = [renamed(request, key) for key, (request, _, _) in batch.items()]
                for completion in self.engine.generate(requests, decoding):
                    batch[completion.key][2].set_result(completion)

    def prompt_logprobs(self, body: dict[str, Any]) -> list[dict[str, Any] | None]:
        """What the model makes of every token of the prompt, an answer begun by the client included."""
        prompter = self.engine._prompter
        *_, last = body["messages"]
        begun = last["content"] if last["role"] == "assistant" else None
        turns = body["messages"][: -1 if begun else None]
        prompt = prompter.render(self.request(body | {"messages": turns}))
        inputs = prompter.encode([prompter.continued(prompt, begun) if begun else prompt])
        with torch.inference_mode():
            known = self.engine._model(**inputs).logits[0].log_softmax(dim=-1)
        ids = inputs["input_ids"][0].tolist()
        return [None] + [
            {str(token): {"logprob": float(known[place, token])}}
            for place, token in enumerate(ids[1:])
        ]

    def request(self, body: dict[str, Any]) -> Request:
        *before, turn = body["messages"]
        parts = turn["content"]
        if isinstance(parts, str):
            parts = [{"type": "text", "text": parts}]
        return Request(
            key="",
            text="".join(part["text"] for part in parts if part["type"] == "text"),
            images=tuple(self.picture(p["image_url"]["url"]) for p in parts if "image_url" in p),
            system=before[0]["content"] if before else None,
            image_position="before" if parts[0]["type"] == "image_url" else "after",
            seed=body.get("seed", 0),
        )

    def picture(self, url: str) -> Path:
        if url.startswith("file:"):
            return Path(unquote(urlsplit(url).path))
        content = base64.b64decode(url.partition(",")[2])
        path = self.pictures / hashlib.sha256(content).hexdigest()
        if not path.exists():
            path.write_bytes(content)
        return path


def renamed(request: Request, key: str) -> Request:
    return Request(
        key, request.text, request.images, request.system, request.image_position, request.seed
    )


def sampling(body: dict[str, Any]) -> Sampling:
    return Sampling(
        temperature=body["temperature"],
        top_p=body.get("top_p", 1.0),
        max_new_tokens=body["max_tokens"],
        stop=tuple(body.get("stop", ())),
    )


def main() -> None:
    options = arguments()
    note_start(0)
    with tempfile.TemporaryDirectory() as pictures, TinyServer(options, Path(pictures)) as server:
        server.serve_forever(0.01)


if __name__ == "__main__":
    main()
