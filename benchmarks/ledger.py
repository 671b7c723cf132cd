"""The ledger with one, two, four and eight claimers, beside the same statements on a bare connection.

Every item is claimed in one transaction and completed in another, one item at a time: what a worker
does between two batches, without the batch. Claimers are processes, each with items of its own, as
the broker hands them out.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from statistics import median

import psycopg
from common import Once, Row, in_turns, main, scaled
from databases import connected, database, maintain, make_run, server
from sqlalchemy import URL, Engine, func, select

from comd_platform.db.engine import libpq_url, make_engine, transaction
from comd_platform.ledger import claim, complete, plan_items, register_worker
from comd_platform.loop.iterations import next_iteration
from comd_platform.tables import WorkItem

ITEMS = 300
CLAIMERS = (1, 2, 4, 8)
CLAIM = """
UPDATE work_item SET state = 'leased', token = gen_random_uuid(), worker_id = %s,
    claims = claims + 1, started_at = clock_timestamp(),
    lease_expires_at = clock_timestamp() + interval '60 seconds'
WHERE id = %s AND state = 'pending'
RETURNING token, subject_ids
"""
COMPLETE = """
UPDATE work_item SET state = 'done', token = NULL, lease_expires_at = NULL, error = NULL,
    finished_at = clock_timestamp()
WHERE id = %s AND token = %s AND state = 'leased'
"""

_engine: Engine  # of a claimer's process


def measure(scale: float, rounds: int) -> list[Row]:
    items = scaled(ITEMS, scale)
    with ExitStack() as stack:
        url = stack.enter_context(database(stack.enter_context(server())))
        engine = stack.enter_context(connected(url))
        iteration, worker = _prepare(engine)
        claimers = [
            stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
            for _ in range(max(CLAIMERS))
        ]

        spent: dict[int, float] = {}  # milliseconds of processor an item, in the claimers

        def ours(count: int) -> Once:
            def once() -> float:
                ids = _plan(engine, iteration, items)
                futures = [
                    claimer.submit(_work, ids[n::count], worker)
                    for n, claimer in enumerate(claimers[:count])
                ]
                spans = [future.result() for future in futures]
                spent[count] = 1000 * sum(cpu for _, _, cpu in spans) / items
                return max(end for _, end, _ in spans) - min(start for start, _, _ in spans)

            return once

        def bare() -> float:
            ids = _plan(engine, iteration, items)
            start, end, _ = claimers[0].submit(_bare, ids, worker, libpq_url(url)).result()
            return end - start

        for claimer in claimers:
            claimer.submit(_open, url).result()
        for warm_up in (bare, ours(max(CLAIMERS))):
            warm_up()
        names = {count: f"{count} claimer{'s' * (count > 1)}" for count in CLAIMERS}
        peer = "the same two statements, bare psycopg"
        seconds = in_turns(
            {peer: bare, **{names[count]: ours(count) for count in CLAIMERS}}, rounds
        )
        _check(engine, iteration, items * (2 + len(seconds) * rounds))
    return [
        Row(
            what=f"Ledger, claim and complete one by one, {names[count]}",
            amount=items,
            unit="items",
            ours=names[count],
            seconds={name: seconds[name] for name in (names[count], beside)},
            note=f"{items:,} items, two transactions each, every commit durable"
            + ("." if count == 1 else f"; {count} processes share the items.")
            + _limit(spent[count], items / median(seconds[names[count]])),
        )
        for count, beside in zip(CLAIMERS, [peer] + [names[1]] * (len(CLAIMERS) - 1), strict=True)
    ]


def _limit(milliseconds: float, rate: float) -> str:
    """What the claimers' own processor time leaves of the machine, at the rate that was reached."""
    return (
        f" The claimers spend {milliseconds:.1f} ms of processor an item: at this rate"
        f" {milliseconds * rate / 1000:.1f} of the machine's {os.cpu_count()} cores; the rest is left to"
        " PostgreSQL and its disk."
    )


def _prepare(engine: Engine) -> tuple[int, int]:
    """An iteration and a worker; their ids."""
    with transaction(engine) as session:
        iteration = next_iteration(session, make_run(session)).id
        worker = register_worker(
            session, name="bench", host="bench", pid=1, roles=["teacher"], device="cpu"
        )
    return iteration, worker


def _plan(engine: Engine, iteration: int, items: int) -> list[int]:
    """Ids of new pending items, one subject each."""
    numbers = func.generate_series(1, items).table_valued("n")
    with transaction(engine) as session:
        plan_items(
            session,
            iteration_id=iteration,
            phase="label",
            role="teacher",
            subjects=select(numbers.c.n),
            order=numbers.c.n,
            batch=1,
        )
    maintain(engine, "VACUUM ANALYZE work_item")
    with transaction(engine) as session:
        pending = select(WorkItem.id).where(WorkItem.state == "pending").order_by(WorkItem.id)
        return list(session.scalars(pending))


def _check(engine: Engine, iteration: int, items: int) -> None:
    with transaction(engine) as session:
        done = select(WorkItem.id).where(
            WorkItem.iteration_id == iteration, WorkItem.state == "done", WorkItem.claims == 1
        )
        if len(session.scalars(done).all()) != items:
            raise AssertionError("not every item was claimed once and completed")


def _open(url: URL) -> None:
    global _engine
    _engine = make_engine(url)


def _work(ids: list[int], worker: int) -> tuple[float, float, float]:
    """When it began and ended, and the seconds of processor in between."""
    start, cpu = time.monotonic(), time.process_time()
    for item in ids:
        with transaction(_engine) as session:
            held = claim(session, item, worker)
        assert held is not None
        with transaction(_engine) as session:
            complete(session, held)
    return start, time.monotonic(), time.process_time() - cpu


def _bare(ids: list[int], worker: int, url: str) -> tuple[float, float, float]:
    with psycopg.connect(url) as connection:
        start, cpu = time.monotonic(), time.process_time()
        for item in ids:
            row = connection.execute(CLAIM, [worker, item]).fetchone()
            assert row is not None
            connection.commit()
            connection.execute(COMPLETE, [item, row[0]])
            connection.commit()
        return start, time.monotonic(), time.process_time() - cpu


if __name__ == "__main__":
    main(measure)
