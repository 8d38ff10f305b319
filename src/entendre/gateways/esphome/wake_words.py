"""Which wake words a device listens for itself, and those that it may download from us."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from aioesphomeapi import (
    VoiceAssistantConfigurationResponse,
    VoiceAssistantExternalWakeWord,
)
from aioesphomeapi.client import APIClient
from aioesphomeapi.core import APIConnectionError

from entendre.gateways.esphome.house import WakeWordModel

logger = logging.getLogger(__name__)


async def configure_wake_words(
    client: APIClient,
    wanted: Sequence[str],
    catalogue: Iterable[WakeWordModel],
    url: str,
    *,
    within_s: float,
) -> VoiceAssistantConfigurationResponse | None:
    """Make these wake words active, offering the device what it lacks; what it is configured with afterwards.

    `url` goes before the paths of the catalogue. None: the device says nothing of wake words.
    """
    try:
        config = await client.get_voice_assistant_configuration(within_s)
        if not wanted or config.max_active_wake_words < 1:
            return config
        known = {_spoken(each.wake_word) for each in config.available_wake_words}
        lacking = [each for each in catalogue if _spoken(each.phrase) not in known]
        if lacking and any(_spoken(word) not in known for word in wanted):
            offered = [_offer(each, url) for each in lacking]
            config = await client.get_voice_assistant_configuration(within_s, offered)
        ids = _chosen(config, wanted)
        if ids and set(ids) != set(config.active_wake_words):
            await client.set_voice_assistant_configuration(ids)
            config = await client.get_voice_assistant_configuration(within_s)
        return config
    except APIConnectionError:
        logger.debug("the device did not say what wake words it has")
        return None


def _chosen(config: VoiceAssistantConfigurationResponse, wanted: Sequence[str]) -> list[str]:
    """Ids of the wanted words that the device has, as many as it can listen for."""
    by_word = {_spoken(each.wake_word): each.id for each in config.available_wake_words}
    by_id = {_spoken(each.id): each.id for each in config.available_wake_words}
    found = [by_word.get(_spoken(word)) or by_id.get(_spoken(word)) for word in wanted]
    for word, identifier in zip(wanted, found, strict=True):
        if identifier is None:
            logger.warning("the device has no wake word %s; it has %s", word, ", ".join(sorted(by_word)))
    ids = list(dict.fromkeys(identifier for identifier in found if identifier is not None))
    return ids[: config.max_active_wake_words]


def _offer(model: WakeWordModel, url: str) -> VoiceAssistantExternalWakeWord:
    return VoiceAssistantExternalWakeWord(  # type: ignore[call-arg]
        id=model.id,
        wake_word=model.phrase,
        trained_languages=list(model.languages),
        model_type="micro",
        model_size=model.size_bytes,
        model_hash=model.sha256,
        url=url + model.path,
    )


def _spoken(word: str) -> str:
    """A wake word however it is written: lower case, words apart."""
    return " ".join(word.replace("_", " ").lower().split())
