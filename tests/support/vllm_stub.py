"""Speaks what `vllm serve` speaks: /health, /v1/models, /v1/chat/completions with a key, as a real
process that starts another one, as vLLM starts its engines. What it says is a hash of what it is
asked. It refuses flags that vLLM does not have and pictures that it was not allowed to read.

In the directory that VLLM_STUB names it notes each start (`starts.jsonl`) and finds its fate
(`fate.json`): `die_at_start` (with what it `says`), `hang_at_start`: how many starts end so;
`die_after`: answers that a start gives before it dies; `mortal`: how many starts have that (all);
`die_on`: the text that kills.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

WORDS = ("kaba", "lodi", "mifu", "nuge", "poba", "redi", "kafu", "loge", "miba", "nudi")
NOTES = Path(os.environ["VLLM_STUB"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="vllm")
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve")
    serve.add_argument("model")
    serve.add_argument("--host", required=True)
    serve.add_argument("--port", type=int, required=True)
    serve.add_argument("--dtype", choices=["auto", "float32", "bfloat16", "float16"])
    serve.add_argument("--tensor-parallel-size", type=int)
    serve.add_argument("--gpu-memory-utilization", type=float)
    serve.add_argument("--limit-mm-per-prompt", type=json.loads)
    serve.add_argument("--generation-config")
    serve.add_argument("--revision")
    serve.add_argument("--max-model-len", type=int)
    serve.add_argument("--allowed-local-media-path", type=Path)
    serve.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction)
    serve.add_argument("--disable-uvicorn-access-log", action="store_true")
    serve.add_argument("--trust-remote-code", action="store_true")
    serve.add_argument("--quantization")
    serve.add_argument("--enforce-eager", action="store_true")
    return parser.parse_args()


def note_start(engine_pid: int) -> int:
    """Which start this is, counted from 1."""
    note = {
        "argv": sys.argv[1:],
        "pid": os.getpid(),
        "engine_pid": engine_pid,
        "environment": sorted(os.environ),
    }
    with (NOTES / "starts.jsonl").open("a") as file:
        file.write(json.dumps(note) + "\n")
    return len((NOTES / "starts.jsonl").read_text().splitlines())


class Stub(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, options: argparse.Namespace, fate: dict[str, Any], start: int) -> None:
        super().__init__((options.host, options.port), Handler)
        self.options = options
        self.fate = fate
        self.mortal = start <= fate.get("mortal", 1_000_000)
        self.key = os.environ["VLLM_API_KEY"]
        self.answered = 0
        self.lock = threading.Lock()

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        text, pictures = said(body)
        with self.lock:
            self.answered += 1
            over = self.mortal and self.answered > self.fate.get("die_after", 1_000_000)
        if over or self.fate.get("die_on", "\0") in text:
            print("EngineDeadError: the stub's time has come", flush=True)
            os._exit(1)
        for url in pictures:
            if problem := self.refuse(url):
                return 400, {"error": {"message": problem}}
        if "prompt_logprobs" in body:
            return 200, reply(body, text) | {"prompt_logprobs": prompt_logprobs(body, text)}
        return 200, reply(body, text)

    def refuse(self, url: str) -> str | None:
        parts = urlsplit(url)
        if parts.scheme == "data":
            return None
        allowed = self.options.allowed_local_media_path
        if allowed is None or not Path(unquote(parts.path)).is_relative_to(allowed):
            return f"Cannot load local file {url}: not under --allowed-local-media-path"
        return None


class Handler(BaseHTTPRequestHandler):
    server: Stub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/health":
            self.respond(200, {})
        elif self.path == "/v1/models" and self.knows_key():
            self.respond(200, {"data": [{"id": self.server.options.model}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.knows_key():
            self.respond(*self.server.answer(body))

    def knows_key(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {self.server.key}":
            return True
        self.respond(401, {"error": {"message": "Unauthorized"}})
        return False

    def respond(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """As with --disable-uvicorn-access-log."""


def said(body: dict[str, Any]) -> tuple[str, list[str]]:
    content = next(turn for turn in reversed(body["messages"]) if turn["role"] == "user")["content"]
    if isinstance(content, str):
        return content, []
    text = "".join(part["text"] for part in content if part["type"] == "text")
    return text, [part["image_url"]["url"] for part in content if part["type"] == "image_url"]


def reply(body: dict[str, Any], text: str) -> dict[str, Any]:
    """Ten words drawn by model, messages and, when sampling, seed; as many as max_tokens allows."""
    seed = body.get("seed") if body["temperature"] > 0 else None
    basis = json.dumps([body["model"], body["messages"], seed]).encode()
    words = [WORDS[byte % len(WORDS)] for byte in hashlib.sha256(basis).digest()[:10]]
    kept = words[: body["max_tokens"]]
    finish = "stop" if len(kept) == len(words) else "length"
    return {
        "choices": [{"message": {"content": " ".join(kept)}, "finish_reason": finish}],
        "usage": {"prompt_tokens": len(text.split()), "completion_tokens": len(kept)},
    }


def prompt_logprobs(body: dict[str, Any], text: str) -> list[dict[str, Any] | None]:
    """A token a word; its log-probability is a hash of all words up to it."""
    words = [*text.split(), "ASSISTANT:"]
    if body["messages"][-1]["role"] == "assistant":
        assert body["continue_final_message"] is True
        assert body["add_generation_prompt"] is False
        words += body["messages"][-1]["content"].split()
    hashes = [
        hashlib.sha256(" ".join(words[:end]).encode()).digest() for end in range(1, len(words))
    ]
    return [None] + [
        {str(sum(word.encode())): {"logprob": -1 - read[0] / 64, "decoded_token": word}}
        for word, read in zip(words[1:], hashes, strict=True)
    ]


def main() -> None:
    options = arguments()
    engine = subprocess.Popen(["sleep", "600"])
    start = note_start(engine.pid)
    fate_file = NOTES / "fate.json"
    fate = json.loads(fate_file.read_text()) if fate_file.exists() else {}
    if start <= fate.get("die_at_start", 0):
        sys.exit(fate.get("says", "ValueError: the stub was told not to start"))
    if start <= fate.get("hang_at_start", 0):
        print("Loading safetensors checkpoint shards: 1/2", flush=True)
        time.sleep(600)
    with Stub(options, fate, start) as server:
        server.serve_forever(0.01)


if __name__ == "__main__":
    main()
