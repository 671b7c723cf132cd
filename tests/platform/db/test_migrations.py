from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, CheckConstraint, Engine, inspect, text

import comd_migrations
from comd_platform.db.engine import DatabaseError, libpq_url, make_engine
from comd_platform.tables import Base

SYNTHETIC = Path(__file__).parents[2] / "support" / "synthetic_run.sql"


def test_models_and_migrations_describe_the_same_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_check_constraints_of_models_and_database_agree(engine: Engine) -> None:
    # Alembic does not compare check constraints, so their names are compared here.
    inspector = inspect(engine)
    for table in Base.metadata.sorted_tables:
        declared = {
            str(check.name) for check in table.constraints if isinstance(check, CheckConstraint)
        }
        found = {check["name"] for check in inspector.get_check_constraints(table.name)}
        assert declared == found, table.name


def test_an_empty_database_goes_up_down_and_up_again(empty_database: URL) -> None:
    engine = make_engine(empty_database)
    pending = comd_migrations.status(engine).pending
    assert (pending[0], pending[-1]) == ("0001", comd_migrations.head_revision())
    with pytest.raises(DatabaseError, match="revision none") as error:
        comd_migrations.require_current(engine)
    assert error.value.hint == "Run: comd db upgrade"
    assert not comd_migrations.is_current(engine)
    comd_migrations.upgrade(engine)
    assert comd_migrations.is_current(engine)
    comd_migrations.require_current(engine)
    comd_migrations.downgrade(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert inspect(engine).get_view_names() == []
    comd_migrations.upgrade(engine)
    assert comd_migrations.status(engine).pending == ()
    engine.dispose()


def test_branches_without_a_base_become_runs_of_their_own_on_the_way_down(
    empty_database: URL,
) -> None:
    engine = make_engine(empty_database)
    comd_migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO pool (name, origin) VALUES ('seed', 'import')"))
        connection.execute(
            text("INSERT INTO run (name, seed, pool_id, config) VALUES ('base', 0, 1, '{}')")
        )
        connection.execute(
            text(
                "INSERT INTO run (name, seed, pool_id, config, parent_id)"
                " VALUES ('anew', 0, 1, '{}', 1)"
            )
        )
    comd_migrations.downgrade(engine, "0002")
    parents = text("SELECT name, parent_id FROM run ORDER BY id")
    with engine.connect() as connection:
        assert connection.execute(parents).tuples().all() == [("base", None), ("anew", None)]
    comd_migrations.upgrade(engine)
    comd_migrations.require_current(engine)
    engine.dispose()


def test_a_database_from_a_newer_comd_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="9999, which this version of comd does not know"):
        comd_migrations.status(engine)


def test_every_foreign_key_has_an_index_that_leads_with_it(engine: Engine) -> None:
    """Deleting or joining from the parent must never scan the child."""
    small = {
        "iteration.teacher_model_id",
        "iteration.assessor_model_id",
        "model.prompt_hash",
        "iteration.augmentor_model_id",
    }
    inspector = inspect(engine)
    for table in inspector.get_table_names():
        leading = {index["column_names"][0] for index in inspector.get_indexes(table)}
        leading |= {unique["column_names"][0] for unique in inspector.get_unique_constraints(table)}
        leading.add((inspector.get_pk_constraint(table)["constrained_columns"] or [None])[0])
        for key in inspector.get_foreign_keys(table):
            column = key["constrained_columns"][0]
            assert column in leading or f"{table}.{column}" in small, f"{table}.{column}"


def test_decontamination_comes_and_goes_with_data_in_the_database(engine: Engine) -> None:
    comd_migrations.downgrade(engine, "0003")
    with psycopg.connect(libpq_url(engine.url)) as connection:
        connection.execute("SET comd.instructions = 12")
        connection.execute(SYNTHETIC.read_bytes())
    comd_migrations.upgrade(engine, "0004")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO contamination (iteration_id, instruction_id, benchmark_id, kind,"
                " item_id, items, distance, verdict) SELECT 1, 1, benchmark_id, 'same_image', id, 1,"
                " 0, 'excluded' FROM evaluation_item LIMIT 1"
            )
        )
        connection.execute(
            text("UPDATE iteration SET phase = 'decontaminate', finished_at = NULL WHERE id = 5")
        )
        connection.execute(
            text("INSERT INTO iteration_phase (iteration_id, phase) VALUES (5, 'decontaminate')")
        )
        seen = connection.execute(text("SELECT run, iteration FROM contaminated_instruction"))
        assert {tuple(row) for row in seen} == {("paper", 1), ("random", 1)}
    comd_migrations.downgrade(engine, "0003")
    with engine.connect() as connection:
        phase = connection.execute(text("SELECT phase FROM iteration WHERE id = 5")).scalar_one()
        phases = connection.execute(text("SELECT DISTINCT phase FROM iteration_phase")).scalars()
        assert phase == "label"
        assert "decontaminate" not in phases.all()
    comd_migrations.upgrade(engine)
