"""How a model is reached, as a run config states it: one frozen pydantic model per engine.

The engines themselves live in `comd_workers.engines`, which reads these. A config also says what it
takes to get the same text again: `identity()` goes into a model's fingerprint, so answers are
reused exactly when it is equal. What only changes speed or reachability stays out of it.
"""

from __future__ import annotations

import shlex
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _EngineConfig(BaseModel):
    """Common to every engine: `model` names the weights, and the rest says how to reach them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tells_logits: ClassVar[bool] = False
    """Whether the engine gives its top logits for a given answer, to be stored."""
    has_weights: ClassVar[bool] = False
    """Whether `model` names weights that a training can load beside the student's."""

    model: str = Field(min_length=1)

    @property
    def in_flight(self) -> int:
        """How many requests the engine answers at the same time, from several threads too; 1: it is
        asked by one thread."""
        return 1

    def identity(self) -> dict[str, Any]:
        """The JSON-able part that decides what the model says, in a canonical form."""
        raise NotImplementedError

    def with_model(self, model: str) -> Self:
        """The same way of speaking with other weights: how a student's checkpoint is opened."""
        return self.model_copy(update={"model": model, **self._other_weights()})

    def _other_weights(self) -> dict[str, Any]:
        return {}


class HfConfig(_EngineConfig):
    """transformers in process: any image-text-to-text model with a chat template."""

    tells_logits: ClassVar[bool] = True
    has_weights: ClassVar[bool] = True

    engine: Literal["hf"] = "hf"
    model: str = Field(min_length=1, description="Directory or hub id.")
    revision: str | None = Field(None, description="Branch, tag or commit of a hub id.")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: bfloat16 on CUDA, float32 on CPU."
    )
    batch_size: PositiveInt = Field(
        32, description="Requests a forward pass; halved by itself when the card's memory runs out."
    )
    max_length: PositiveInt | None = Field(
        None,
        description="Tokens of prompt (picture included) and answer; None: what the model has.",
    )
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    trust_remote_code: bool = False

    def identity(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "model": self.model,
            "revision": self.revision,
            "dtype": self.dtype,
            "max_length": self.max_length,
        }

    def _other_weights(self) -> dict[str, Any]:
        return {"revision": None}


class Prices(BaseModel):
    """What a provider asks for a million tokens, in whatever currency; a config keeps to one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: NonNegativeFloat
    output: NonNegativeFloat
    cached_input: NonNegativeFloat | None = Field(
        None, description="For prompt tokens that the server had read before; unset: as input."
    )

    def cost(self, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> float:
        """The price of one request; `cached_tokens` are among its `prompt_tokens`."""
        cached_price = self.input if self.cached_input is None else self.cached_input
        fresh = prompt_tokens - cached_tokens
        millionths = fresh * self.input + cached_tokens * cached_price
        return (millionths + completion_tokens * self.output) / 1e6


class OpenAIConfig(_EngineConfig):
    """Any server that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, a provider."""

    engine: Literal["openai"] = "openai"
    model: str = Field(min_length=1, description="The name that the server knows it by.")
    base_url: str = Field("https://api.openai.com/v1", description="Up to and with /v1.")
    api_key_env: str | None = Field(
        "OPENAI_API_KEY",
        description="Name of the environment variable that holds the key; null: a server without.",
    )
    concurrency: PositiveInt = Field(64, description="Requests in flight.")
    timeout_s: PositiveFloat = Field(120.0, description="For one attempt of one request.")
    max_retries: NonNegativeInt = Field(6, description="Further attempts after the first.")
    backoff_s: PositiveFloat = Field(
        0.5, description="Longest wait before the first retry; doubles with each, up to a minute."
    )
    image_transport: Literal["data_url", "file_url"] = Field(
        "data_url",
        description="file_url: the server reads the same file system (vLLM: must allow).",
    )
    max_image_side: PositiveInt | None = Field(
        None, description="Pixels; larger pictures are shrunk before they are sent (data_url only)."
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict,
        description="Merged into every request's body last; a null removes the field.",
    )
    prompt_logprobs: bool = Field(
        False, description="The server tells prompt_logprobs (vLLM does): the engine can score."
    )
    prices: Prices | None = Field(
        None, description="Per million tokens; unset: tokens are kept, but no cost."
    )

    @field_validator("base_url")
    @classmethod
    def _no_credentials(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// address")
        if parts.username or parts.password or parts.query:
            raise ValueError("must not carry a user, a password or a query; see api_key_env")
        return value.rstrip("/")

    @property
    def in_flight(self) -> int:
        return self.concurrency

    def identity(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "model": self.model,
            "base_url": self.base_url,
            "max_image_side": self.max_image_side,
            "extra_body": self.extra_body,
        }


class VllmConfig(_EngineConfig):
    """A `vllm serve` process that the worker starts, watches and stops; vLLM may live in another
    Python environment, since it pins its own torch.
    """

    has_weights: ClassVar[bool] = True

    engine: Literal["vllm"] = "vllm"
    model: str = Field(min_length=1, description="Directory or hub id.")
    command: tuple[str, ...] = Field(
        ("vllm",),
        min_length=1,
        description="What stands before `serve MODEL …`: /opt/vllm/bin/vllm, say, or a list of words.",
    )
    revision: str | None = Field(None, description="Branch, tag or commit of a hub id.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: what the weights are stored in."
    )
    max_length: PositiveInt | None = Field(
        None, description="Tokens of prompt and answer (--max-model-len); None: the model's own."
    )
    tensor_parallel: PositiveInt = Field(1, description="Cards that share the weights.")
    gpu_memory_share: float = Field(
        0.9, gt=0, le=1, description="Of each card, for weights and cache together."
    )
    images_per_prompt: PositiveInt = Field(1, description="Pictures a request may show.")
    prefix_caching: bool = Field(
        True, description="Prompts that begin alike are read once: pictures asked about again."
    )
    trust_remote_code: bool = False
    flags: tuple[str, ...] = Field(
        (),
        description="Further flags of `vllm serve` that may change what is said, such as "
        "--quantization fp8: part of the model's fingerprint.",
    )
    machine_flags: tuple[str, ...] = Field(
        (), description="Further flags that may not, such as --enforce-eager or --max-num-seqs 512."
    )
    concurrency: PositiveInt = Field(256, description="Requests in flight.")
    timeout_s: PositiveFloat = Field(600.0, description="For one attempt of one request.")
    start_timeout_s: PositiveFloat = Field(
        1800.0, description="Until the server answers /health: loading, compiling, warming up."
    )
    max_restarts: NonNegativeInt = Field(
        3, description="How often a server that died is restarted."
    )
    image_transport: Literal["data_url", "file_url"] = Field(
        "file_url",
        description="file_url: the server reads pictures under the image root by itself; data_url: "
        "for a command that sees another file system, a container say.",
    )
    max_image_side: PositiveInt | None = Field(
        None, description="Pixels; larger pictures are shrunk before they are sent, as data URLs."
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict,
        description="Merged into every request's body last; a null removes the field.",
    )

    @field_validator("command", mode="before")
    @classmethod
    def _in_words(cls, value: object) -> object:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @property
    def in_flight(self) -> int:
        return self.concurrency

    def identity(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "model": self.model,
            "revision": self.revision,
            "dtype": self.dtype,
            "max_length": self.max_length,
            "flags": list(self.flags),
            "max_image_side": self.max_image_side,
            "extra_body": self.extra_body,
        }

    def _other_weights(self) -> dict[str, Any]:
        return {"revision": None}


class ScriptedConfig(_EngineConfig):
    """The fake: replies come from a small function of the request. For tests and rehearsals.

    `model` is the name of a script or, when `script` names that, of make-believe weights. A model
    that is an absolute path is a directory with a `scripted.json`, whose options go over these: a
    checkpoint that knows more, say.
    """

    tells_logits: ClassVar[bool] = True

    engine: Literal["scripted"] = "scripted"
    model: str = Field("echo", min_length=1)
    script: str | None = Field(None, description="A name in comd_workers.engines.scripts.")
    options: dict[str, Any] = Field(default_factory=dict, description="What the script reads.")
    error_rate: Share = Field(0.0, description="Share of requests (by seed) that come back failed.")
    fail_on: str | None = Field(None, description="A request whose text has this always fails.")
    crash_on: str | None = Field(None, description="A request whose text has this ends the engine.")
    crash: Literal["raise", "kill"] = Field(
        "raise", description="raise: EngineError. kill: SIGKILL to the own process."
    )
    delay_s: NonNegativeFloat = Field(0.0, description="Time that every request takes.")

    def identity(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "model": self.model,
            "script": self.script or self.model,
            "options": self.options,
        }

    def _other_weights(self) -> dict[str, Any]:
        return {"script": self.script or self.model}


EngineConfig = Annotated[
    HfConfig | OpenAIConfig | VllmConfig | ScriptedConfig, Field(discriminator="engine")
]
