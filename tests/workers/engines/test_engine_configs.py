"""Engine configs: what a user writes, what is refused, what makes a fingerprint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from comd_platform.config.engines import (
    EngineConfig,
    HfConfig,
    OpenAIConfig,
    Prices,
    ScriptedConfig,
    VllmConfig,
)

READ: TypeAdapter[Any] = TypeAdapter(EngineConfig)

EACH = (HfConfig(model="m"), OpenAIConfig(model="m"), VllmConfig(model="m"), ScriptedConfig())
SAME_TEXT = [
    (HfConfig(model="m"), {"device": "cpu", "batch_size": 1, "attention": "eager"}),
    (
        OpenAIConfig(model="m"),
        {
            "api_key_env": None,
            "concurrency": 1,
            "timeout_s": 5.0,
            "max_retries": 0,
            "image_transport": "file_url",
            "prices": Prices(input=1.0, output=2.0),
        },
    ),
    (
        VllmConfig(model="m"),
        {
            "command": ("/opt/vllm/bin/vllm",),
            "tensor_parallel": 4,
            "gpu_memory_share": 0.5,
            "images_per_prompt": 2,
            "prefix_caching": False,
            "machine_flags": ("--enforce-eager",),
            "concurrency": 1,
            "image_transport": "data_url",
        },
    ),
    (ScriptedConfig(model="quiz"), {"delay_s": 1.0, "error_rate": 0.5, "crash_on": "x"}),
]
OTHER_TEXT = [
    (HfConfig(model="m"), {"model": "n"}),
    (HfConfig(model="m"), {"revision": "v2"}),
    (HfConfig(model="m"), {"dtype": "float16"}),
    (HfConfig(model="m"), {"max_length": 100}),
    (OpenAIConfig(model="m"), {"base_url": "http://localhost:8000/v1"}),
    (OpenAIConfig(model="m"), {"extra_body": {"top_k": 5}}),
    (OpenAIConfig(model="m"), {"max_image_side": 336}),
    (VllmConfig(model="m"), {"model": "n"}),
    (VllmConfig(model="m"), {"revision": "v2"}),
    (VllmConfig(model="m"), {"dtype": "float16"}),
    (VllmConfig(model="m"), {"flags": ("--quantization", "fp8")}),
    (ScriptedConfig(model="quiz"), {"options": {"skill": 0.7}}),
    (ScriptedConfig(model="quiz"), {"model": "echo"}),
]


def test_the_engine_field_tells_them_apart() -> None:
    assert isinstance(READ.validate_python({"engine": "hf", "model": "m"}), HfConfig)
    assert isinstance(READ.validate_python({"engine": "openai", "model": "m"}), OpenAIConfig)
    assert isinstance(READ.validate_python({"engine": "scripted"}), ScriptedConfig)
    for config in EACH:
        assert READ.validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "m"},
        {"engine": "gguf", "model": "m"},
        {"engine": "hf"},
        {"engine": "hf", "model": ""},
        {"engine": "hf", "model": "m", "batchsize": 3},
        {"engine": "hf", "model": "m", "batch_size": 0},
        {"engine": "openai", "model": "m", "base_url": "localhost:8000"},
        {"engine": "openai", "model": "m", "base_url": "http://me:secret@host/v1"},
        {"engine": "openai", "model": "m", "base_url": "http://host/v1?key=secret"},
        {"engine": "vllm", "model": "m", "command": []},
        {"engine": "vllm", "model": "m", "command": ""},
        {"engine": "vllm", "model": "m", "gpu_memory_share": 90},
        {"engine": "scripted", "error_rate": 1.5},
    ],
)
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python(wrong)


@pytest.mark.parametrize(("config", "changes"), SAME_TEXT)
def test_what_changes_no_text_changes_no_identity(config: Any, changes: dict[str, Any]) -> None:
    assert config.model_copy(update=changes).identity() == config.identity()


@pytest.mark.parametrize(("config", "changes"), OTHER_TEXT)
def test_what_changes_the_text_changes_the_identity(config: Any, changes: dict[str, Any]) -> None:
    assert config.model_copy(update=changes).identity() != config.identity()


def test_an_identity_is_json_without_secrets() -> None:
    for config in EACH:
        assert json.loads(json.dumps(config.identity())) == config.identity()
        assert config.identity()["engine"] == config.engine
        assert "OPENAI_API_KEY" not in json.dumps(config.identity())


def test_other_weights_keep_the_way_of_speaking() -> None:
    tuned = HfConfig(model="org/student", revision="v1", batch_size=4).with_model(
        "/runs/1/checkpoint"
    )
    assert (tuned.model, tuned.revision, tuned.batch_size) == ("/runs/1/checkpoint", None, 4)
    served = VllmConfig(model="org/student", revision="v1", flags=("--a",)).with_model("/runs/1")
    assert (served.model, served.revision, served.flags) == ("/runs/1", None, ("--a",))
    scripted = ScriptedConfig(model="quiz").with_model("/runs/1/checkpoint")
    assert scripted.identity()["script"] == "quiz"
    assert scripted.with_model("/runs/2/checkpoint").script == "quiz"


def test_a_trailing_slash_is_no_other_server() -> None:
    assert OpenAIConfig(model="m", base_url="http://h/v1/") == OpenAIConfig(
        model="m", base_url="http://h/v1"
    )


def test_a_command_is_a_line_or_a_list_of_words() -> None:
    written = VllmConfig.model_validate({"model": "m", "command": "env A=1 '/opt/v llm/bin/vllm'"})
    assert written.command == ("env", "A=1", "/opt/v llm/bin/vllm")
    listed = VllmConfig.model_validate({"model": "m", "command": ["/opt/vllm/bin/vllm"]})
    assert listed.command == ("/opt/vllm/bin/vllm",)
