"""What the engine tests run on: pictures, a tiny random LLaVA, a chat server that misbehaves."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from comd_platform.settings import get_settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")

WORDS = tuple(
    f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "po", "re") for b in ("ba", "di", "fu", "ge")
)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'][0]['text'] + ' ' }}"
    "{% elif message['role'] == 'user' %}USER: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<picture> {% else %}{{ part['text'] + ' ' }}{% endif %}"
    "{% endfor %}"
    "{% else %}ASSISTANT: {{ message['content'][0]['text'] }}</s>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Eight 24 x 24 pictures of noise."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(7)
    paths = tuple(folder / f"{i}.png" for i in range(8))
    for path in paths:
        Image.fromarray(noise.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture(scope="session")
def word_tokenizer() -> Callable[[list[str]], Any]:
    """Makes a tokenizer of whole words: pad, unk, s, /s, the special tokens given, then WORDS."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    def make(special: list[str]) -> Any:
        tokens = ["<pad>", "<unk>", "<s>", "</s>", *special]
        tokens += ["USER", "ASSISTANT", ":", "?", ".", *WORDS]
        words = Tokenizer(models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="<unk>"))
        words.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
        )
        return PreTrainedTokenizerFast(
            tokenizer_object=words,
            pad_token="<pad>",
            unk_token="<unk>",
            bos_token="<s>",
            eos_token="</s>",
            extra_special_tokens=special,
        )

    return make


@pytest.fixture(scope="session")
def tiny_llava(
    tmp_path_factory: pytest.TempPathFactory, word_tokenizer: Callable[[list[str]], Any]
) -> Path:
    """A saved LlavaForConditionalGeneration of some 20 K random weights, with its processor.

    Its picture token is `<picture>`, so that code that assumes `<image>` shows.
    """
    import torch
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    torch.set_num_threads(1)
    torch.manual_seed(11)
    folder = tmp_path_factory.mktemp("tiny-llava")
    tokenizer = word_tokenizer(["<picture>"])
    LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 24}, crop_size={"height": 24, "width": 24}
        ),
        tokenizer=tokenizer,
        patch_size=12,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<picture>",
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(folder)
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=24,
        patch_size=12,
    )
    text = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        initializer_range=0.5,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=4,
        vision_feature_layer=-1,
        image_seq_length=4,
    )
    model = LlavaForConditionalGeneration(config)
    # What a model brings beside its ids must not change how we decode.
    model.generation_config.update(eos_token_id=3, pad_token_id=0, do_sample=True, temperature=9.0)
    model.save_pretrained(folder)
    return folder


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """A client that hangs up is what some tests are about."""


class ChatServer:
    """A chat-completions server whose reply to a request is a function of its body.

    misbehave: asked before each reply with (text, how often this text came before); what it returns
    is sent instead of a reply: (status, headers, body), or "cut" to break the connection off.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.arrivals: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.delay_s = 0.0
        self.misbehave: Callable[[str, int], Any] = lambda text, before: None
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._scheme = "http"
        self._listen(0)

    def _listen(self, port: int) -> None:
        self._server = _Quiet(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/v1"

    def encrypt(self, context: ssl.SSLContext) -> None:
        """From now on the server speaks TLS."""
        self._scheme = "https"
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def restart(self) -> None:
        """Gone, and back on the same port."""
        port = self._server.server_address[1]
        self.stop()
        time.sleep(0.1)
        self._listen(port)

    def forget(self) -> None:
        with self._lock:
            self._seen.clear()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Any:
        text = _said(body)
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            self.arrivals.append(time.monotonic())
            before = self._seen[text]
            self._seen[text] += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        time.sleep(self.delay_s)
        fate = self.misbehave(text, before)
        with self._lock:
            self.in_flight -= 1
        return fate or (200, {}, json.dumps(_reply(body)))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outcome = server.answer(self.path, dict(self.headers), body)
                if outcome == "cut":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b'{"choices"')
                    self.close_connection = True
                    return
                status, headers, content = outcome
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content.encode())))
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, *args: object) -> None:
                """Silence."""

        return Handler


class VllmStub:
    """The stub executable (tests/support/vllm_stub.py), and what its processes have noted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.command = (sys.executable, vllm_stub_path())

    def decide(self, **fate: Any) -> None:
        """What is to happen to the servers started from now on."""
        (self._folder / "fate.json").write_text(json.dumps(fate))

    @property
    def starts(self) -> list[dict[str, Any]]:
        notes = self._folder / "starts.jsonl"
        return (
            [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
        )


def vllm_stub_path() -> str:
    return str(Path(__file__).parents[2] / "support" / "vllm_stub.py")


@pytest.fixture
def vllm_stub(
    tmp_path: Path, pictures: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> Iterator[VllmStub]:
    """Servers read the fixture's pictures by path, and their notes lie in a home of their own."""
    monkeypatch.setenv("COMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COMD_IMAGES", str(pictures[0].parent))
    monkeypatch.setenv("VLLM_STUB", str(tmp_path))
    get_settings.cache_clear()
    yield VllmStub(tmp_path)
    get_settings.cache_clear()


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.stop()


def _said(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def _reply(body: dict[str, Any]) -> dict[str, Any]:
    """Words drawn by a hash of the body, as many as max_tokens allows, twelve at most."""
    seed = body.get("seed", 0) if body["temperature"] > 0 else 0
    basis = json.dumps([body["model"], body["messages"], seed]).encode()
    words = [WORDS[byte % len(WORDS)] for byte in hashlib.sha256(basis).digest()[:12]]
    kept = words[: body["max_tokens"]]
    return {
        "choices": [
            {
                "message": {"role": "assistant", "content": " ".join(kept)},
                "finish_reason": "stop" if len(kept) == len(words) else "length",
            }
        ],
        "usage": {"prompt_tokens": len(_said(body).split()), "completion_tokens": len(kept)},
    }
