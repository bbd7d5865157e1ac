"""Variables of commands in settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxd.config.load import load_settings
from inboxd.config.variables import RESERVED_VARIABLES
from inboxd.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", RESERVED_VARIABLES)
@pytest.mark.parametrize("form", ["{}=7", "{}"])
def test_what_inboxd_sets_itself_is_refused(tmp_path: Path, name: str, form: str) -> None:
    """It would be accepted and never be seen: every attempt has its own."""
    config = tmp_path / "inboxd.toml"
    config.write_text(f'[run]\nenvironment = ["A=1", "{form.format(name)}"]\n')

    with pytest.raises(ConfigurationError) as caught:
        load_settings(config=config, environ={"HOME": str(tmp_path)}, cwd=tmp_path)

    said = f'[run] environment: "{name}" is set by inboxd itself, for each attempt'
    assert said in str(caught.value)


def test_another_name_that_begins_alike_is_taken(tmp_path: Path) -> None:
    config = tmp_path / "inboxd.toml"
    config.write_text('[run]\nenvironment = ["INBOXD_ATTEMPTS=1"]\n')

    settings = load_settings(config=config, environ={"HOME": str(tmp_path)}, cwd=tmp_path)

    assert settings.run.environment == ("INBOXD_ATTEMPTS=1",)
