"""The evidence: what targeting is worth on tinyworld, over fresh seeds, at equal budget.

`make evidence` plays every arm with the product itself (real workers, real database), keeps the raw
results in a small file, and makes docs/evidence.md from that file alone.
"""
