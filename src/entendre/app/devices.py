"""The household's devices as the settings want them: who may wait, how long tokens last, and what looks at photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entendre.core.clock import Clock
from entendre.store.database import Database
from entendre.store.device_admission import AdmissionRules
from entendre.store.devices import Devices

if TYPE_CHECKING:
    from entendre.config import Settings
    from entendre.gateways.xiaozhi.vision import Vision

DAY_S = 86_400.0


def open_devices(settings: Settings, database: Database, clock: Clock) -> Devices:
    """The registry of devices; its `run` belongs to whoever opens a door for them."""
    chosen = settings.xiaozhi
    rules = AdmissionRules(
        unbound_per_address=chosen.unbound_per_address,
        token_life_s=chosen.token_days * DAY_S if chosen.token_days else None,
    )
    return Devices(database, clock, settings.server.region, rules)


def vision_of(settings: Settings) -> Vision | None:
    """What answers questions about photos; None without a vision model. Raises: ConfigurationError."""
    chosen = settings.xiaozhi
    if not chosen.vision_url:
        return None
    from entendre.gateways.xiaozhi.vision_openai import openai_vision

    return openai_vision(chosen.vision_url, chosen.vision_model, chosen.vision_key)
