"""Firmware that a rollout offers to a xiaozhi device: its configuration request asks for it and says what it runs."""

from __future__ import annotations

import logging
from typing import Protocol

from entendre.cloud.downloads import PATH
from entendre.core.errors import EntendreError
from entendre.fleet.releases import fits_board, read_manifest
from entendre.gateways.xiaozhi.addresses import Base
from entendre.ports.releases import DownloadTokens
from entendre.ports.rollouts import Offer
from entendre.wire.xiaozhi_ota import FirmwareOffer, version_numbers

log = logging.getLogger(__name__)


class Rollouts(Protocol):
    """What devices ask of rollouts."""

    async def ask_for(self, device: str, running: str) -> Offer | None:
        """What a device that runs a version is to install; None for nothing. Raises: EntendreError."""
        ...


class ReleasedFirmware:
    """The offers of rollouts in the form that these devices know."""

    def __init__(self, rollouts: Rollouts, tokens: DownloadTokens) -> None:
        self._rollouts = rollouts
        self._tokens = tokens

    async def offer(self, device: str, board: str, running: str, base: Base) -> FirmwareOffer | None:
        """The firmware for a device's board that a rollout offers to it; None where there is none."""
        try:
            offer = await self._rollouts.ask_for(device, running)
        except EntendreError as error:  # a device without its configuration is silent; without an update it is not
            log.warning("a device was offered no release", extra={"device": device, "code": error.code})
            return None
        if offer is None or offer.kind != "firmware" or version_numbers(offer.number) is None:
            return None
        fitting = [each for each in read_manifest(offer.manifest).artifacts if board and fits_board(each, board)]
        if not fitting:
            return None
        token, _ = self._tokens.token(offer.brand, device, fitting[0].sha256)
        return FirmwareOffer(version=offer.number, url=base.http(PATH + token))
