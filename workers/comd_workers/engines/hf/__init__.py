"""transformers in this process: any image-text-to-text model that brings a chat template.

loading: config -> model and processor. prompts: requests -> inputs. batches: what runs together,
and what happens when it does not fit. decoding: a row's tokens from its own seed. engine: the
contract.
"""

from __future__ import annotations

from comd_workers.engines.hf.engine import HfEngine, open_engine

__all__ = ["HfEngine", "open_engine"]
