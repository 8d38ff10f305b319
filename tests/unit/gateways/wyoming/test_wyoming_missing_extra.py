"""Discovery without what it needs says so."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from entendre.core.errors import MissingExtraError
from entendre.gateways.wyoming.discovery import announced_services


async def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_zeroconf(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("zeroconf"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_zeroconf)
    with pytest.raises(MissingExtraError, match=r"entendre\[wyoming\]"):
        async for _ in announced_services():
            break
