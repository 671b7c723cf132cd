"""What the loop learns from: pictures, pools, instructions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from comd_platform.tables.base import Base, CreatedAt, Id, one_of


class Image(Base):
    """A picture, named by its content. `path` is relative to the image root.

    A row in state `missing` is a promise: some record named `source`, and the picture has not come.
    `perceptual_hash` (images/perceptual.py) is null until a decontamination asks for it, and for small
    pictures.
    """

    __tablename__ = "image"
    __table_args__ = (
        one_of("state", "present", "missing"),
        CheckConstraint(
            "(state = 'present') = (sha256 IS NOT NULL AND path IS NOT NULL AND width IS NOT NULL"
            " AND height IS NOT NULL AND format IS NOT NULL AND bytes IS NOT NULL)",
            name="present_is_complete",
        ),
        CheckConstraint("state = 'present' OR source IS NOT NULL", name="missing_has_source"),
        CheckConstraint("width > 0 AND height > 0 AND bytes > 0", name="sizes_positive"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_hex"),
        Index(
            "uq_image_source_missing",
            "source",
            unique=True,
            postgresql_where=text("state = 'missing'"),
        ),
    )

    id: Mapped[Id]
    sha256: Mapped[str | None] = mapped_column(unique=True)
    path: Mapped[str | None]
    source: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    format: Mapped[str | None]
    bytes: Mapped[int | None]
    perceptual_hash: Mapped[int | None]
    state: Mapped[str] = mapped_column(server_default="present")
    created_at: Mapped[CreatedAt]


class FileContent(Base):
    """What a file outside the image store held when an import read it (images/seen_files.py).

    While the file's `signature` (size, times, inode) stays, it is not read again. A note about this
    machine's files, true whether an image has that content or not.
    """

    __tablename__ = "file_content"
    __table_args__ = (CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_hex"),)

    path: Mapped[str] = mapped_column(primary_key=True)
    signature: Mapped[str]
    sha256: Mapped[str]


class Pool(Base):
    """A commit of instructions: an import is a root, an augmentation is a child of what it saw."""

    __tablename__ = "pool"
    __table_args__ = (
        one_of("origin", "import", "augmentation", "bootstrap"),
        CheckConstraint(
            "(origin = 'augmentation') = (parent_id IS NOT NULL)", name="augmentation_has_parent"
        ),
        CheckConstraint("parent_id < id", name="parent_is_older"),
    )

    id: Mapped[Id]
    name: Mapped[str | None] = mapped_column(unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("pool.id"), index=True)
    origin: Mapped[str]
    source_iteration_id: Mapped[int | None] = mapped_column(
        ForeignKey("iteration.id", use_alter=True), index=True
    )
    config: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[CreatedAt]


class PoolImage(Base):
    """A picture of a pool that was imported as pictures: an images-only run asks about each."""

    __tablename__ = "pool_image"
    __table_args__ = (Index("ix_pool_image_image_id", "image_id"),)

    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"), primary_key=True)


class Instruction(Base):
    """One question about one picture (or about none). It never carries the answer.

    `key` is a hash of content and lineage, the same on every machine. `reference_answer` is what an
    import kept aside when asked; nothing in the loop reads it.
    """

    __tablename__ = "instruction"
    __table_args__ = (
        UniqueConstraint("pool_id", "key"),
        Index(
            "uq_instruction_pool_id_image_id_text",
            "pool_id",
            "image_id",
            text("md5(text)"),
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("text <> ''", name="text_not_empty"),
        CheckConstraint("key ~ '^[0-9a-f]{64}$'", name="key_hex"),
    )

    id: Mapped[Id]
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"))
    image_id: Mapped[int | None] = mapped_column(ForeignKey("image.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("instruction.id"), index=True)
    task_type: Mapped[str]
    text: Mapped[str]
    key: Mapped[str] = mapped_column(index=True)
    source_record: Mapped[str | None]
    reference_answer: Mapped[str | None]
    created_at: Mapped[CreatedAt]
