"""A scripted conversation, so that gateways are tested without engines."""

from __future__ import annotations

import pytest
from scripted_conversation import ScriptedFactory


@pytest.fixture
def factory() -> ScriptedFactory:
    return ScriptedFactory()
