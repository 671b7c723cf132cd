from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from comd_platform.settings import Settings, SettingsError, get_settings


def test_a_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMD_DATABASE_PATIENCE", "soon")
    get_settings.cache_clear()
    with pytest.raises(SettingsError, match=r"COMD_DATABASE_PATIENCE: .*number") as error:
        get_settings()
    assert error.value.hint is not None
    assert "soon" not in str(error.value)
    get_settings.cache_clear()


def test_what_is_given_by_name_goes_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMD_HOME", "/from/environment")
    monkeypatch.setenv("COMD_DATABASE_URL", "postgresql://secret@here/db")
    monkeypatch.setenv("COMD_SOMETHING_ELSE", "is nothing to us")
    told = Settings()
    assert told.home == Path("/from/environment")
    assert "secret" not in repr(told)
    assert Settings(home=Path("/given")).home == Path("/given")
    assert Settings(database_url=None).database_url is None
    with pytest.raises(ValidationError, match="hoem"):
        Settings.model_validate({"hoem": "/given"})
