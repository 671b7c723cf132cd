"""An images-only run's first pool: a request for every picture and task type, and nothing else yet.

A request is an instruction to the *augmentor*: it is born in the pool of pictures, never answered or
tuned on, and the parent of the question that is written for it. So the phases augment and accept,
their retries, seeds and verdicts, serve a first iteration as they serve a later one.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.config.bootstrap import BootstrapConfig
from comd_platform.keys import root_key_sql
from comd_platform.tables import Pool, Run

_REQUESTS = f"""
INSERT INTO instruction (pool_id, image_id, task_type, text, key)
SELECT :pictures, image.id, :task_type, :text, {root_key_sql("image.sha256", "CAST(:text AS text)")}
FROM pool_image JOIN image ON image.id = pool_image.image_id
WHERE pool_image.pool_id = :pictures
ORDER BY image.sha256
ON CONFLICT DO NOTHING
"""  # noqa: S608 - built from constants

# Another run on these pictures may have asked for other things.
_CHOSEN = """
INSERT INTO selection (pool_id, instruction_id, band)
SELECT :pool, id, 'random' FROM instruction
WHERE pool_id = :pictures AND text = :text AND parent_id IS NULL
"""


def first_pool(session: Session, run: Run, config: BootstrapConfig) -> int:
    """The pool that the run's first iteration fills, with its requests chosen as sources."""
    pool = Pool(origin="bootstrap", config=config.model_dump(mode="json"))
    session.add(pool)
    session.flush()
    for task_type, said in config.texts():
        values = {"pictures": run.pool_id, "task_type": task_type, "text": said, "pool": pool.id}
        session.execute(text(_REQUESTS), values)
        session.execute(text(_CHOSEN), values)
    return pool.id
