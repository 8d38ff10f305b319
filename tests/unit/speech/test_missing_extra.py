from __future__ import annotations

import importlib
import sys

import pytest

from entendre.core.errors import MissingExtraError


@pytest.mark.parametrize("absent", ["soundfile", "soxr"])
def test_sound_files_without_their_extra_say_what_to_install(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(sys.modules, "entendre.speech.audio", raising=False)
    with pytest.raises(MissingExtraError) as raised:
        importlib.import_module("entendre.speech.audio")
    assert "pip install 'entendre[speech]'" in raised.value.public_message
