"""Work items: planned once, claimed under a lease, written and marked done in one transaction."""

from comd_platform.ledger.claims import (
    Claim,
    LeaseLost,
    claim,
    claim_like,
    complete,
    got_on,
    release,
    renew,
)
from comd_platform.ledger.failing import (
    FailedRecord,
    acknowledge,
    count_quarantined,
    fail,
    fatal_error,
    lose,
    record_failures,
    resolve_failures,
)
from comd_platform.ledger.planning import count_subjects, open_items, plan_items
from comd_platform.ledger.sweeping import cut_off_frozen, expire_leases, to_ring
from comd_platform.ledger.workers import (
    alive_workers,
    beat,
    done_within,
    register_worker,
    retire_worker,
    session_name,
)

__all__ = [
    "Claim",
    "FailedRecord",
    "LeaseLost",
    "acknowledge",
    "alive_workers",
    "beat",
    "claim",
    "claim_like",
    "complete",
    "count_quarantined",
    "count_subjects",
    "cut_off_frozen",
    "done_within",
    "expire_leases",
    "fail",
    "fatal_error",
    "got_on",
    "lose",
    "open_items",
    "plan_items",
    "record_failures",
    "register_worker",
    "release",
    "renew",
    "resolve_failures",
    "retire_worker",
    "session_name",
    "to_ring",
]
