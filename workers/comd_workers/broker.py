"""The Celery app: it carries the ids of work items from the driver to workers, and nothing else.

JSON only, no result backend, acknowledged on receipt: whatever a broker loses is rung again, because
the rows say what is left.
"""

from __future__ import annotations

import psycopg
from celery import Celery
from kombu.entity import Queue
from pgmq.install import get_embedded_install_sql, install_pgmq_sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from comd_platform.db.engine import database_url, libpq_url
from comd_platform.settings import Settings
from comd_platform.tables import ROLES

TASK = "comd.work"


def queue_name(role: str) -> str:
    """The queue on which workers of a role listen."""
    return f"comd-{role}"


def make_app(settings: Settings) -> Celery:
    """An app on COMD_BROKER_URL, or on pgmq in the database that comd uses."""
    app = Celery("comd", set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,
        task_create_missing_queues=False,
        task_queues=[Queue(queue_name(role), routing_key=queue_name(role)) for role in ROLES],
        task_default_queue=queue_name("teacher"),
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a broker may be away for as long as it likes
        **_broker(settings),
    )
    return app


def _broker(settings: Settings) -> dict[str, object]:
    if settings.broker_url is not None:
        return {"broker_url": settings.broker_url.get_secret_value()}
    # pgmq reads keywords; of a URL it would lose the socket's directory.
    dsn = make_conninfo("", **conninfo_to_dict(libpq_url(database_url(settings))))
    _install_pgmq(dsn)
    return {
        "broker_url": "pgmq://localhost//",  # the host is only a name, see conn_string
        "broker_transport_options": {
            "conn_string": dsn,
            "init_extension": False,
            "visibility_timeout": 60,
            "polling_interval": 0.1,
            # Long polls would be served one queue after the other; a worker listens on several.
            "wait_time_seconds": 0,
            "pool_size": 2,
            "pool_timeout": 5,  # seconds to wait for a server that is away, before another try
        },
    }


def _install_pgmq(dsn: str) -> None:
    """pgmq's tables and functions, once per database; two processes may try at the same time."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('comd pgmq'))")
        known = connection.execute("SELECT to_regproc('pgmq.create') IS NOT NULL").fetchone()
        if known is None or not known[0]:
            install_pgmq_sql(get_embedded_install_sql(), conn=connection)
