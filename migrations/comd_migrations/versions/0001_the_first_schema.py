"""The first schema

Revision: 0001, the first.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

# In the order in which they stand on one another.
VIEWS = (
    "pool_closure",
    "run_iteration",
    "tuning_pool",
    "cache_pool",
    "difficult_instruction",
    "lineage",
    "judged_pair",
    "judge_health",
    "iteration_summary",
    "evaluation_summary",
)


def upgrade() -> None:
    op.create_table(
        "benchmark",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_benchmark_fingerprint")),
        sa.UniqueConstraint("name", name=op.f("uq_benchmark_name")),
    )
    op.create_table(
        "image",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("width", sa.BigInteger(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="present", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(state = 'present') = (sha256 IS NOT NULL AND path IS NOT NULL AND width IS NOT NULL AND height IS NOT NULL AND format IS NOT NULL AND bytes IS NOT NULL)",
            name=op.f("ck_image_present_is_complete"),
        ),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_image_sha256_hex")),
        sa.CheckConstraint(
            "state = 'present' OR source IS NOT NULL", name=op.f("ck_image_missing_has_source")
        ),
        sa.CheckConstraint("state IN ('present', 'missing')", name=op.f("ck_image_state_known")),
        sa.CheckConstraint(
            "width > 0 AND height > 0 AND bytes > 0", name=op.f("ck_image_sizes_positive")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
        sa.UniqueConstraint("sha256", name=op.f("uq_image_sha256")),
    )
    op.create_index(
        "uq_image_source_missing",
        "image",
        ["source"],
        unique=True,
        postgresql_where=sa.text("state = 'missing'"),
    )
    op.create_table(
        "pool",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("source_iteration_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "config", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(origin = 'augmentation') = (parent_id IS NOT NULL)",
            name=op.f("ck_pool_augmentation_has_parent"),
        ),
        sa.CheckConstraint(
            "origin IN ('import', 'augmentation', 'bootstrap')", name=op.f("ck_pool_origin_known")
        ),
        sa.CheckConstraint("parent_id < id", name=op.f("ck_pool_parent_is_older")),
        sa.ForeignKeyConstraint(["parent_id"], ["pool.id"], name=op.f("fk_pool_parent_id_pool")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pool")),
        sa.UniqueConstraint("name", name=op.f("uq_pool_name")),
    )
    op.create_index(op.f("ix_pool_parent_id"), "pool", ["parent_id"], unique=False)
    op.create_index(
        op.f("ix_pool_source_iteration_id"), "pool", ["source_iteration_id"], unique=False
    )
    op.create_table(
        "prompt",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "role IN ('teacher', 'student', 'assessor', 'augmentor')",
            name=op.f("ck_prompt_role_known"),
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_prompt")),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('starting', 'idle', 'busy', 'stopped')", name=op.f("ck_worker_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
        sa.UniqueConstraint("name", name=op.f("uq_worker_name")),
    )
    op.create_table(
        "evaluation_item",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("benchmark_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("image_id", sa.BigInteger(), nullable=True),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "groups", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["benchmark_id"],
            ["benchmark.id"],
            name=op.f("fk_evaluation_item_benchmark_id_benchmark"),
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_evaluation_item_image_id_image")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_item")),
        sa.UniqueConstraint(
            "benchmark_id", "key", name=op.f("uq_evaluation_item_benchmark_id_key")
        ),
    )
    op.create_index(
        op.f("ix_evaluation_item_image_id"), "evaluation_item", ["image_id"], unique=False
    )
    op.create_table(
        "instruction",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("pool_id", sa.BigInteger(), nullable=False),
        sa.Column("image_id", sa.BigInteger(), nullable=True),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("task_type", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("source_record", sa.Text(), nullable=True),
        sa.Column("reference_answer", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("key ~ '^[0-9a-f]{64}$'", name=op.f("ck_instruction_key_hex")),
        sa.CheckConstraint("text <> ''", name=op.f("ck_instruction_text_not_empty")),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_instruction_image_id_image")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["instruction.id"], name=op.f("fk_instruction_parent_id_instruction")
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_instruction_pool_id_pool")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruction")),
        sa.UniqueConstraint("pool_id", "key", name=op.f("uq_instruction_pool_id_key")),
    )
    op.create_index(op.f("ix_instruction_image_id"), "instruction", ["image_id"], unique=False)
    op.create_index(op.f("ix_instruction_key"), "instruction", ["key"], unique=False)
    op.create_index(op.f("ix_instruction_parent_id"), "instruction", ["parent_id"], unique=False)
    op.create_index(
        "uq_instruction_pool_id_image_id_text",
        "instruction",
        ["pool_id", "image_id", sa.literal_column("md5(text)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "model",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("identity", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sampling", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("prompt_hash", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["prompt_hash"], ["prompt.hash"], name=op.f("fk_model_prompt_hash_prompt")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_model_fingerprint")),
    )
    op.create_index(op.f("ix_model_checkpoint_id"), "model", ["checkpoint_id"], unique=False)
    op.create_table(
        "run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("pool_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("base_iteration_id", sa.BigInteger(), nullable=True),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("driver", sa.Text(), nullable=True),
        sa.Column("driver_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(parent_id IS NULL) = (base_iteration_id IS NULL)",
            name=op.f("ck_run_branch_is_complete"),
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["run.id"], name=op.f("fk_run_parent_id_run")),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_run_pool_id_pool")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("name", name=op.f("uq_run_name")),
    )
    op.create_index(op.f("ix_run_base_iteration_id"), "run", ["base_iteration_id"], unique=False)
    op.create_index(op.f("ix_run_parent_id"), "run", ["parent_id"], unique=False)
    op.create_index(op.f("ix_run_pool_id"), "run", ["pool_id"], unique=False)
    op.create_table(
        "answer",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("instruction_id", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "finish_reason IN ('stop', 'length')", name=op.f("ck_answer_finish_reason_known")
        ),
        sa.CheckConstraint(
            "prompt_tokens >= 0 AND completion_tokens >= 0",
            name=op.f("ck_answer_tokens_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["instruction_id"],
            ["instruction.id"],
            name=op.f("fk_answer_instruction_id_instruction"),
        ),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_answer_model_id_model")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer")),
        sa.UniqueConstraint(
            "instruction_id", "model_id", name=op.f("uq_answer_instruction_id_model_id")
        ),
    )
    op.create_index(op.f("ix_answer_model_id"), "answer", ["model_id"], unique=False)
    op.create_table(
        "augmentation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("pool_id", sa.BigInteger(), nullable=False),
        sa.Column("source_instruction_id", sa.BigInteger(), nullable=False),
        sa.Column("augmentor_id", sa.BigInteger(), nullable=False),
        sa.Column("band", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("rouge_l", sa.Double(), nullable=True),
        sa.Column("nearest_id", sa.BigInteger(), nullable=True),
        sa.Column("child_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'accepted') = (child_id IS NOT NULL)",
            name=op.f("ck_augmentation_accepted_has_child"),
        ),
        sa.CheckConstraint(
            "(status = 'rejected') = (reason IS NOT NULL)",
            name=op.f("ck_augmentation_rejected_has_reason"),
        ),
        sa.CheckConstraint(
            "band IN ('difficult', 'easy', 'random')", name=op.f("ck_augmentation_band_known")
        ),
        sa.CheckConstraint(
            "status = 'rejected' OR text IS NOT NULL",
            name=op.f("ck_augmentation_candidate_has_text"),
        ),
        sa.CheckConstraint(
            "status IN ('generated', 'accepted', 'rejected')",
            name=op.f("ck_augmentation_status_known"),
        ),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_augmentation_attempt_positive")),
        sa.CheckConstraint(
            "rouge_l BETWEEN 0 AND 1", name=op.f("ck_augmentation_rouge_l_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["augmentor_id"], ["model.id"], name=op.f("fk_augmentation_augmentor_id_model")
        ),
        sa.ForeignKeyConstraint(
            ["child_id"], ["instruction.id"], name=op.f("fk_augmentation_child_id_instruction")
        ),
        sa.ForeignKeyConstraint(
            ["nearest_id"], ["instruction.id"], name=op.f("fk_augmentation_nearest_id_instruction")
        ),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["pool.id"], name=op.f("fk_augmentation_pool_id_pool")
        ),
        sa.ForeignKeyConstraint(
            ["source_instruction_id"],
            ["instruction.id"],
            name=op.f("fk_augmentation_source_instruction_id_instruction"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_augmentation")),
        sa.UniqueConstraint("child_id", name=op.f("uq_augmentation_child_id")),
        sa.UniqueConstraint(
            "pool_id",
            "source_instruction_id",
            "augmentor_id",
            "attempt",
            name=op.f("uq_augmentation_pool_id_source_instruction_id_augmentor_id_attempt"),
        ),
    )
    op.create_index(
        op.f("ix_augmentation_augmentor_id"), "augmentation", ["augmentor_id"], unique=False
    )
    op.create_index(
        op.f("ix_augmentation_nearest_id"), "augmentation", ["nearest_id"], unique=False
    )
    op.create_index(
        "ix_augmentation_source_instruction_id",
        "augmentation",
        ["source_instruction_id"],
        unique=False,
    )
    op.create_table(
        "iteration",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("pool_id", sa.BigInteger(), nullable=False),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("teacher_model_id", sa.BigInteger(), nullable=False),
        sa.Column("assessor_model_id", sa.BigInteger(), nullable=False),
        sa.Column("augmentor_model_id", sa.BigInteger(), nullable=False),
        sa.Column("student_model_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(phase = 'done') = (finished_at IS NOT NULL)", name=op.f("ck_iteration_done_has_time")
        ),
        sa.CheckConstraint(
            "phase IN ('augment', 'accept', 'label', 'tune', 'answer', 'evaluate', 'judge', 'assess', 'done')",
            name=op.f("ck_iteration_phase_known"),
        ),
        sa.CheckConstraint(
            "(number = 1) = (parent_id IS NULL)", name=op.f("ck_iteration_first_has_no_parent")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_iteration_number_positive")),
        sa.ForeignKeyConstraint(
            ["assessor_model_id"], ["model.id"], name=op.f("fk_iteration_assessor_model_id_model")
        ),
        sa.ForeignKeyConstraint(
            ["augmentor_model_id"], ["model.id"], name=op.f("fk_iteration_augmentor_model_id_model")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["iteration.id"], name=op.f("fk_iteration_parent_id_iteration")
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_iteration_pool_id_pool")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_iteration_run_id_run")),
        sa.ForeignKeyConstraint(
            ["student_model_id"], ["model.id"], name=op.f("fk_iteration_student_model_id_model")
        ),
        sa.ForeignKeyConstraint(
            ["teacher_model_id"], ["model.id"], name=op.f("fk_iteration_teacher_model_id_model")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_iteration")),
        sa.UniqueConstraint("run_id", "number", name=op.f("uq_iteration_run_id_number")),
    )
    op.create_index(op.f("ix_iteration_parent_id"), "iteration", ["parent_id"], unique=False)
    op.create_index(op.f("ix_iteration_pool_id"), "iteration", ["pool_id"], unique=False)
    op.create_index(
        op.f("ix_iteration_student_model_id"), "iteration", ["student_model_id"], unique=False
    )
    op.create_table(
        "selection",
        sa.Column("pool_id", sa.BigInteger(), nullable=False),
        sa.Column("instruction_id", sa.BigInteger(), nullable=False),
        sa.Column("band", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "band IN ('difficult', 'easy', 'random')", name=op.f("ck_selection_band_known")
        ),
        sa.ForeignKeyConstraint(
            ["instruction_id"],
            ["instruction.id"],
            name=op.f("fk_selection_instruction_id_instruction"),
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_selection_pool_id_pool")),
        sa.PrimaryKeyConstraint("pool_id", "instruction_id", name=op.f("pk_selection")),
    )
    op.create_index("ix_selection_instruction_id", "selection", ["instruction_id"], unique=False)
    op.create_table(
        "assessment",
        sa.Column("iteration_id", sa.BigInteger(), nullable=False),
        sa.Column("instruction_id", sa.BigInteger(), nullable=False),
        sa.Column("teacher_score", sa.Double(), nullable=True),
        sa.Column("student_score", sa.Double(), nullable=True),
        sa.Column("flags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column(
            "difficulty",
            sa.Double(),
            sa.Computed(
                "(abs(student_score - teacher_score) + 1) / greatest(student_score, teacher_score)",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.Column("selection_score", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "(teacher_score IS NULL) = (student_score IS NULL)",
            name=op.f("ck_assessment_both_scores_or_none"),
        ),
        sa.CheckConstraint(
            "difficulty > 0 AND difficulty <= 1", name=op.f("ck_assessment_difficulty_in_range")
        ),
        sa.CheckConstraint(
            "teacher_score BETWEEN 1 AND 10 AND student_score BETWEEN 1 AND 10",
            name=op.f("ck_assessment_scores_in_range"),
        ),
        sa.ForeignKeyConstraint(
            ["instruction_id"],
            ["instruction.id"],
            name=op.f("fk_assessment_instruction_id_instruction"),
        ),
        sa.ForeignKeyConstraint(
            ["iteration_id"], ["iteration.id"], name=op.f("fk_assessment_iteration_id_iteration")
        ),
        sa.PrimaryKeyConstraint("iteration_id", "instruction_id", name=op.f("pk_assessment")),
    )
    op.create_index("ix_assessment_instruction_id", "assessment", ["instruction_id"], unique=False)
    op.create_index(
        "ix_assessment_iteration_id_difficulty",
        "assessment",
        ["iteration_id", "difficulty"],
        unique=False,
    )
    op.create_table(
        "evaluation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("benchmark_id", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("iteration_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "subject IN ('teacher', 'student')", name=op.f("ck_evaluation_subject_known")
        ),
        sa.ForeignKeyConstraint(
            ["benchmark_id"], ["benchmark.id"], name=op.f("fk_evaluation_benchmark_id_benchmark")
        ),
        sa.ForeignKeyConstraint(
            ["iteration_id"], ["iteration.id"], name=op.f("fk_evaluation_iteration_id_iteration")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("fk_evaluation_model_id_model")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint(
            "benchmark_id", "model_id", name=op.f("uq_evaluation_benchmark_id_model_id")
        ),
    )
    op.create_index(
        op.f("ix_evaluation_iteration_id"), "evaluation", ["iteration_id"], unique=False
    )
    op.create_index(op.f("ix_evaluation_model_id"), "evaluation", ["model_id"], unique=False)
    op.create_table(
        "iteration_phase",
        sa.Column("iteration_id", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "phase IN ('augment', 'accept', 'label', 'tune', 'answer', 'evaluate', 'judge', 'assess')",
            name=op.f("ck_iteration_phase_phase_known"),
        ),
        sa.ForeignKeyConstraint(
            ["iteration_id"],
            ["iteration.id"],
            name=op.f("fk_iteration_phase_iteration_id_iteration"),
        ),
        sa.PrimaryKeyConstraint("iteration_id", "phase", name=op.f("pk_iteration_phase")),
    )
    op.create_table(
        "judgement",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("teacher_answer_id", sa.BigInteger(), nullable=False),
        sa.Column("student_answer_id", sa.BigInteger(), nullable=False),
        sa.Column("assessor_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("teacher_score", sa.Double(), nullable=True),
        sa.Column("student_score", sa.Double(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'unreadable') = (teacher_score IS NULL) AND (teacher_score IS NULL) = (student_score IS NULL)",
            name=op.f("ck_judgement_unreadable_has_no_scores"),
        ),
        sa.CheckConstraint(
            "position IN ('teacher_first', 'student_first')",
            name=op.f("ck_judgement_position_known"),
        ),
        sa.CheckConstraint(
            "status IN ('read', 'clamped', 'unreadable')", name=op.f("ck_judgement_status_known")
        ),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_judgement_attempt_positive")),
        sa.CheckConstraint(
            "teacher_score BETWEEN 1 AND 10 AND student_score BETWEEN 1 AND 10",
            name=op.f("ck_judgement_scores_in_range"),
        ),
        sa.ForeignKeyConstraint(
            ["assessor_id"], ["model.id"], name=op.f("fk_judgement_assessor_id_model")
        ),
        sa.ForeignKeyConstraint(
            ["student_answer_id"], ["answer.id"], name=op.f("fk_judgement_student_answer_id_answer")
        ),
        sa.ForeignKeyConstraint(
            ["teacher_answer_id"], ["answer.id"], name=op.f("fk_judgement_teacher_answer_id_answer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judgement")),
        sa.UniqueConstraint(
            "teacher_answer_id",
            "student_answer_id",
            "assessor_id",
            "position",
            "attempt",
            name=op.f(
                "uq_judgement_teacher_answer_id_student_answer_id_assessor_id_position_attempt"
            ),
        ),
    )
    op.create_index(op.f("ix_judgement_assessor_id"), "judgement", ["assessor_id"], unique=False)
    op.create_index(
        "ix_judgement_student_answer_id_assessor_id",
        "judgement",
        ["student_answer_id", "assessor_id"],
        unique=False,
    )
    op.create_index(
        "uq_judgement_readable",
        "judgement",
        ["teacher_answer_id", "student_answer_id", "assessor_id", "position"],
        unique=True,
        postgresql_where=sa.text("status <> 'unreadable'"),
    )
    op.create_table(
        "training_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("iteration_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("base_model_id", sa.BigInteger(), nullable=False),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("examples_path", sa.Text(), nullable=True),
        sa.Column("examples_sha256", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'failed') = (error IS NOT NULL)",
            name=op.f("ck_training_run_failed_has_error"),
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'running', 'done', 'failed')",
            name=op.f("ck_training_run_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["base_model_id"], ["model.id"], name=op.f("fk_training_run_base_model_id_model")
        ),
        sa.ForeignKeyConstraint(
            ["iteration_id"], ["iteration.id"], name=op.f("fk_training_run_iteration_id_iteration")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_run")),
        sa.UniqueConstraint("iteration_id", name=op.f("uq_training_run_iteration_id")),
    )
    op.create_index(
        op.f("ix_training_run_base_model_id"), "training_run", ["base_model_id"], unique=False
    )
    op.create_index(op.f("ix_training_run_key"), "training_run", ["key"], unique=False)
    op.create_table(
        "checkpoint",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("training_run_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("weights_sha256", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["training_run_id"],
            ["training_run.id"],
            name=op.f("fk_checkpoint_training_run_id_training_run"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoint")),
        sa.UniqueConstraint("training_run_id", name=op.f("uq_checkpoint_training_run_id")),
    )
    op.create_table(
        "evaluation_score",
        sa.Column("evaluation_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "score BETWEEN 0 AND 1", name=op.f("ck_evaluation_score_score_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_evaluation_score_evaluation_id_evaluation"),
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["evaluation_item.id"],
            name=op.f("fk_evaluation_score_item_id_evaluation_item"),
        ),
        sa.PrimaryKeyConstraint("evaluation_id", "item_id", name=op.f("pk_evaluation_score")),
    )
    op.create_index("ix_evaluation_score_item_id", "evaluation_score", ["item_id"], unique=False)
    op.create_table(
        "failure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("iteration_id", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("instruction_id", sa.BigInteger(), nullable=True),
        sa.Column("evaluation_item_id", sa.BigInteger(), nullable=True),
        sa.Column("evaluation_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "phase IN ('augment', 'accept', 'label', 'tune', 'answer', 'evaluate', 'judge', 'assess')",
            name=op.f("ck_failure_phase_known"),
        ),
        sa.CheckConstraint(
            "state IN ('retrying', 'quarantined', 'resolved')", name=op.f("ck_failure_state_known")
        ),
        sa.CheckConstraint("attempts >= 1", name=op.f("ck_failure_attempts_positive")),
        sa.CheckConstraint(
            "num_nonnulls(instruction_id, evaluation_item_id) = 1",
            name=op.f("ck_failure_has_one_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_id"], ["evaluation.id"], name=op.f("fk_failure_evaluation_id_evaluation")
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_item_id"],
            ["evaluation_item.id"],
            name=op.f("fk_failure_evaluation_item_id_evaluation_item"),
        ),
        sa.ForeignKeyConstraint(
            ["instruction_id"],
            ["instruction.id"],
            name=op.f("fk_failure_instruction_id_instruction"),
        ),
        sa.ForeignKeyConstraint(
            ["iteration_id"], ["iteration.id"], name=op.f("fk_failure_iteration_id_iteration")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failure")),
    )
    op.create_index(op.f("ix_failure_evaluation_id"), "failure", ["evaluation_id"], unique=False)
    op.create_index(
        op.f("ix_failure_evaluation_item_id"), "failure", ["evaluation_item_id"], unique=False
    )
    op.create_index("ix_failure_instruction_id", "failure", ["instruction_id"], unique=False)
    op.create_index(
        "uq_failure_subject",
        "failure",
        ["iteration_id", "phase", "instruction_id", "evaluation_item_id", "evaluation_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "training_example",
        sa.Column("training_run_id", sa.BigInteger(), nullable=False),
        sa.Column("instruction_id", sa.BigInteger(), nullable=False),
        sa.Column("answer_id", sa.BigInteger(), nullable=False),
        sa.Column("dialogue", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("image_position", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "image_position IN ('before', 'after')",
            name=op.f("ck_training_example_image_position_known"),
        ),
        sa.CheckConstraint(
            "reason IN ('tuning_pool', 'accumulated', 'replayed')",
            name=op.f("ck_training_example_reason_known"),
        ),
        sa.CheckConstraint("turn >= 1", name=op.f("ck_training_example_turn_positive")),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["answer.id"], name=op.f("fk_training_example_answer_id_answer")
        ),
        sa.ForeignKeyConstraint(
            ["instruction_id"],
            ["instruction.id"],
            name=op.f("fk_training_example_instruction_id_instruction"),
        ),
        sa.ForeignKeyConstraint(
            ["training_run_id"],
            ["training_run.id"],
            name=op.f("fk_training_example_training_run_id_training_run"),
        ),
        sa.PrimaryKeyConstraint(
            "training_run_id", "instruction_id", name=op.f("pk_training_example")
        ),
    )
    op.create_index(
        "ix_training_example_answer_id", "training_example", ["answer_id"], unique=False
    )
    op.create_index(
        "ix_training_example_instruction_id", "training_example", ["instruction_id"], unique=False
    )
    op.create_index(
        "uq_training_example_training_run_id_dialogue_turn",
        "training_example",
        ["training_run_id", "dialogue", "turn"],
        unique=True,
    )
    op.create_table(
        "training_metric",
        sa.Column("training_run_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("loss", sa.Double(), nullable=False),
        sa.Column("learning_rate", sa.Double(), nullable=False),
        sa.Column("grad_norm", sa.Double(), nullable=True),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["training_run_id"],
            ["training_run.id"],
            name=op.f("fk_training_metric_training_run_id_training_run"),
        ),
        sa.PrimaryKeyConstraint("training_run_id", "step", name=op.f("pk_training_metric")),
    )
    op.create_table(
        "work_item",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("iteration_id", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=True),
        sa.Column("evaluation_id", sa.BigInteger(), nullable=True),
        sa.Column("subject_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("claims", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fatal", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("token", sa.Uuid(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker_id", sa.BigInteger(), nullable=True),
        sa.Column("rung_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'leased') = (token IS NOT NULL) AND (token IS NULL) = (lease_expires_at IS NULL)",
            name=op.f("ck_work_item_leased_has_token"),
        ),
        sa.CheckConstraint(
            "phase IN ('augment', 'accept', 'label', 'tune', 'answer', 'evaluate', 'judge', 'assess')",
            name=op.f("ck_work_item_phase_known"),
        ),
        sa.CheckConstraint(
            "role IN ('teacher', 'student', 'assessor', 'augmentor', 'trainer')",
            name=op.f("ck_work_item_role_known"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'leased', 'done', 'split', 'failed')",
            name=op.f("ck_work_item_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_id"], ["evaluation.id"], name=op.f("fk_work_item_evaluation_id_evaluation")
        ),
        sa.ForeignKeyConstraint(
            ["iteration_id"], ["iteration.id"], name=op.f("fk_work_item_iteration_id_iteration")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("fk_work_item_model_id_model")
        ),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["worker.id"], name=op.f("fk_work_item_worker_id_worker")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_item")),
    )
    op.create_index(
        op.f("ix_work_item_evaluation_id"), "work_item", ["evaluation_id"], unique=False
    )
    op.create_index(
        "ix_work_item_iteration_id_phase_state",
        "work_item",
        ["iteration_id", "phase", "state"],
        unique=False,
    )
    op.create_index(op.f("ix_work_item_model_id"), "work_item", ["model_id"], unique=False)
    op.create_index(
        "ix_work_item_open",
        "work_item",
        ["iteration_id", "phase", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'leased')"),
    )
    op.create_index(op.f("ix_work_item_worker_id"), "work_item", ["worker_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_pool_source_iteration_id_iteration"),
        "pool",
        "iteration",
        ["source_iteration_id"],
        ["id"],
    )
    op.create_foreign_key(
        op.f("fk_model_checkpoint_id_checkpoint"), "model", "checkpoint", ["checkpoint_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_run_base_iteration_id_iteration"),
        "run",
        "iteration",
        ["base_iteration_id"],
        ["id"],
    )
    for view in VIEWS:
        op.execute((Path(__file__).parent / "views_0001" / f"{view}.sql").read_text())


def downgrade() -> None:
    for view in reversed(VIEWS):
        op.execute(f"DROP VIEW {view}")
    op.execute("DROP FUNCTION descendants(bigint)")
    op.drop_constraint(op.f("fk_pool_source_iteration_id_iteration"), "pool", type_="foreignkey")
    op.drop_constraint(op.f("fk_model_checkpoint_id_checkpoint"), "model", type_="foreignkey")
    op.drop_constraint(op.f("fk_run_base_iteration_id_iteration"), "run", type_="foreignkey")
    op.drop_index(op.f("ix_work_item_worker_id"), table_name="work_item")
    op.drop_index(
        "ix_work_item_open",
        table_name="work_item",
        postgresql_where=sa.text("state IN ('pending', 'leased')"),
    )
    op.drop_index(op.f("ix_work_item_model_id"), table_name="work_item")
    op.drop_index("ix_work_item_iteration_id_phase_state", table_name="work_item")
    op.drop_index(op.f("ix_work_item_evaluation_id"), table_name="work_item")
    op.drop_table("work_item")
    op.drop_table("training_metric")
    op.drop_index(
        "uq_training_example_training_run_id_dialogue_turn", table_name="training_example"
    )
    op.drop_index("ix_training_example_instruction_id", table_name="training_example")
    op.drop_index("ix_training_example_answer_id", table_name="training_example")
    op.drop_table("training_example")
    op.drop_index("uq_failure_subject", table_name="failure", postgresql_nulls_not_distinct=True)
    op.drop_index("ix_failure_instruction_id", table_name="failure")
    op.drop_index(op.f("ix_failure_evaluation_item_id"), table_name="failure")
    op.drop_index(op.f("ix_failure_evaluation_id"), table_name="failure")
    op.drop_table("failure")
    op.drop_index("ix_evaluation_score_item_id", table_name="evaluation_score")
    op.drop_table("evaluation_score")
    op.drop_table("checkpoint")
    op.drop_index(op.f("ix_training_run_key"), table_name="training_run")
    op.drop_index(op.f("ix_training_run_base_model_id"), table_name="training_run")
    op.drop_table("training_run")
    op.drop_index(
        "uq_judgement_readable",
        table_name="judgement",
        postgresql_where=sa.text("status <> 'unreadable'"),
    )
    op.drop_index("ix_judgement_student_answer_id_assessor_id", table_name="judgement")
    op.drop_index(op.f("ix_judgement_assessor_id"), table_name="judgement")
    op.drop_table("judgement")
    op.drop_table("iteration_phase")
    op.drop_index(op.f("ix_evaluation_model_id"), table_name="evaluation")
    op.drop_index(op.f("ix_evaluation_iteration_id"), table_name="evaluation")
    op.drop_table("evaluation")
    op.drop_index("ix_assessment_iteration_id_difficulty", table_name="assessment")
    op.drop_index("ix_assessment_instruction_id", table_name="assessment")
    op.drop_table("assessment")
    op.drop_index("ix_selection_instruction_id", table_name="selection")
    op.drop_table("selection")
    op.drop_index(op.f("ix_iteration_student_model_id"), table_name="iteration")
    op.drop_index(op.f("ix_iteration_pool_id"), table_name="iteration")
    op.drop_index(op.f("ix_iteration_parent_id"), table_name="iteration")
    op.drop_table("iteration")
    op.drop_index("ix_augmentation_source_instruction_id", table_name="augmentation")
    op.drop_index(op.f("ix_augmentation_nearest_id"), table_name="augmentation")
    op.drop_index(op.f("ix_augmentation_augmentor_id"), table_name="augmentation")
    op.drop_table("augmentation")
    op.drop_index(op.f("ix_answer_model_id"), table_name="answer")
    op.drop_table("answer")
    op.drop_index(op.f("ix_run_pool_id"), table_name="run")
    op.drop_index(op.f("ix_run_parent_id"), table_name="run")
    op.drop_index(op.f("ix_run_base_iteration_id"), table_name="run")
    op.drop_table("run")
    op.drop_index(op.f("ix_model_checkpoint_id"), table_name="model")
    op.drop_table("model")
    op.drop_index(
        "uq_instruction_pool_id_image_id_text",
        table_name="instruction",
        postgresql_nulls_not_distinct=True,
    )
    op.drop_index(op.f("ix_instruction_parent_id"), table_name="instruction")
    op.drop_index(op.f("ix_instruction_key"), table_name="instruction")
    op.drop_index(op.f("ix_instruction_image_id"), table_name="instruction")
    op.drop_table("instruction")
    op.drop_index(op.f("ix_evaluation_item_image_id"), table_name="evaluation_item")
    op.drop_table("evaluation_item")
    op.drop_table("worker")
    op.drop_table("prompt")
    op.drop_index(op.f("ix_pool_source_iteration_id"), table_name="pool")
    op.drop_index(op.f("ix_pool_parent_id"), table_name="pool")
    op.drop_table("pool")
    op.drop_index(
        "uq_image_source_missing", table_name="image", postgresql_where=sa.text("state = 'missing'")
    )
    op.drop_table("image")
    op.drop_table("benchmark")
