"""Making a run again: the same one where the settings are the same, else a word on which are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine
from toy_world import import_toy_world, toy_config

from comd_platform.config.load import parse_config
from comd_platform.db.engine import transaction
from comd_platform.runs import RunError, create_run
from comd_platform.settings import Settings


def test_a_run_made_before_a_setting_existed_is_the_same_run(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=1)
    config = toy_config()
    with transaction(engine) as session:
        made = create_run(session, config)
        made.config = {key: made.config[key] for key in made.config if key != "decontamination"}
        run_id = made.id
    with transaction(engine) as session:
        assert create_run(session, config).id == run_id


def test_settings_that_differ_are_named(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=1)
    config = toy_config()
    changed = parse_config(config.model_dump(mode="json"), ["method.difficulty_threshold=0.67"])
    with transaction(engine) as session:
        create_run(session, config)
        with pytest.raises(RunError, match=r"method\.difficulty_threshold: 0\.33, not 0\.67"):
            create_run(session, changed)
