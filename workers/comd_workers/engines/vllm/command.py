"""A config as the command line and the environment of `vllm serve`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from comd_platform.config.engines import VllmConfig
from comd_workers.engines.base import EngineError

HOST = "127.0.0.1"


def command_line(config: VllmConfig, port: int, image_root: Path) -> list[str]:
    """`vllm serve` and its flags. The key is not among them: everyone can read a command line."""
    flags = {
        "--host": HOST,
        "--port": str(port),
        "--dtype": config.dtype,
        "--tensor-parallel-size": str(config.tensor_parallel),
        "--gpu-memory-utilization": str(config.gpu_memory_share),
        "--limit-mm-per-prompt": json.dumps({"image": config.images_per_prompt}),
        # What the checkpoint's generation_config asks for is not applied: the rows say what was.
        "--generation-config": "vllm",
    }
    if config.revision is not None:
        flags["--revision"] = config.revision
    if config.max_length is not None:
        flags["--max-model-len"] = str(config.max_length)
    if config.image_transport == "file_url":
        flags["--allowed-local-media-path"] = str(image_root)
    return [
        *config.command,
        "serve",
        config.model,
        *(word for flag in flags.items() for word in flag),
        "--enable-prefix-caching" if config.prefix_caching else "--no-enable-prefix-caching",
        "--disable-uvicorn-access-log",
        *(["--trust-remote-code"] if config.trust_remote_code else []),
        *config.flags,
        *config.machine_flags,
    ]


def environment(key: str) -> dict[str, str]:
    """The worker's environment with the server's key, without what is ours alone (database URLs)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COMD_")}
    return kept | {"VLLM_API_KEY": key}


def check_command(config: VllmConfig) -> None:
    """Raises EngineError where there is nothing to start under the command's name."""
    if shutil.which(config.command[0]) is None:
        raise EngineError(
            f"there is no {config.command[0]!r} to run `{' '.join(config.command)} serve` with",
            hint="vLLM pins its own torch: install it into an environment of its own (python3 -m "
            "venv /opt/vllm && /opt/vllm/bin/pip install vllm) and name it in the config: "
            "command: [/opt/vllm/bin/vllm]",
        )
