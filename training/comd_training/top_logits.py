"""The teacher's top logits for one answer, and how they are kept: a few bytes a token. No torch here."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

_HEADER = struct.Struct("<2sII")
_MAGIC = b"L1"
_FAST = 1
"""zlib's level: what can be saved is mostly the ids' high bytes, which any level finds."""


@dataclass(frozen=True, slots=True, eq=False)
class TopLogits:
    """At each of an answer's N tokens (the stop token is the last): what the teacher expected there.

    chosen: (N,) int32, the tokens of the answer.
    ids: (N, k) int32, the k most likely tokens, most likely first; all different.
    logprobs: (N, k + 1) float16, in nats: of those, and in the last column of all others together,
        -inf where there are none (k = V). Rounding to float16 moves one by at most 1/2048 of itself.
    """

    chosen: npt.NDArray[np.int32]
    ids: npt.NDArray[np.int32]
    logprobs: npt.NDArray[np.float16]

    def __post_init__(self) -> None:
        tokens, k = self.ids.shape
        if self.chosen.shape != (tokens,) or self.logprobs.shape != (tokens, k + 1):
            raise ValueError(
                f"{self.chosen.shape} tokens, {self.ids.shape} ids and {self.logprobs.shape} "
                "log-probabilities do not belong together"
            )

    @property
    def top_k(self) -> int:
        """k."""
        return int(self.ids.shape[1])

    def narrowed(self, top_k: int) -> TopLogits:
        """With the `top_k` most likely tokens only; what is left out joins the others."""
        if top_k >= self.top_k:
            return self
        others = np.logaddexp.reduce(self.logprobs[:, top_k:].astype(np.float64), axis=1)
        kept = np.concatenate([self.logprobs[:, :top_k], others[:, None]], axis=1)
        return TopLogits(self.chosen, self.ids[:, :top_k], kept.astype(np.float16))

    def to_bytes(self) -> bytes:
        """N, k, then everything by byte planes (the high bytes of ids are mostly 0), deflated."""
        planes = b"".join(_planes(part) for part in (self.chosen, self.ids, self.logprobs))
        return _HEADER.pack(_MAGIC, *self.ids.shape) + zlib.compress(planes, _FAST)

    @classmethod
    def from_bytes(cls, data: bytes) -> TopLogits:
        """What `to_bytes` made. Raises ValueError for anything else."""
        try:
            magic, tokens, k = _HEADER.unpack_from(data)
            planes = zlib.decompress(data[_HEADER.size :])
        except (struct.error, zlib.error) as error:
            raise ValueError(f"these are no stored logits: {error}") from error
        sizes = [4 * tokens, 4 * tokens * k, 2 * tokens * (k + 1)]
        if magic != _MAGIC or len(planes) != sum(sizes):
            raise ValueError("these are no stored logits: their mark or length is another")
        ends = np.cumsum([0, *sizes])
        chosen, ids, logprobs = (
            _bytes(planes[a:b], w) for (a, b), w in zip(pairwise(ends), (4, 4, 2), strict=True)
        )
        return cls(
            chosen.view(np.int32).reshape(tokens),
            ids.view(np.int32).reshape(tokens, k),
            logprobs.view(np.float16).reshape(tokens, k + 1),
        )


def _planes(values: npt.NDArray[np.int32] | npt.NDArray[np.float16]) -> bytes:
    as_bytes = np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.itemsize)
    return as_bytes.T.tobytes()


def _bytes(planes: bytes, width: int) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.frombuffer(planes, np.uint8).reshape(width, -1).T)
