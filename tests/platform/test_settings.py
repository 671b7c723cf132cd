from __future__ import annotations

import pytest

from comd_platform.settings import SettingsError, get_settings


def test_a_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMD_DATABASE_PATIENCE", "soon")
    get_settings.cache_clear()
    with pytest.raises(SettingsError, match=r"COMD_DATABASE_PATIENCE: .*number") as error:
        get_settings()
    assert error.value.hint is not None
    assert "soon" not in str(error.value)
    get_settings.cache_clear()
