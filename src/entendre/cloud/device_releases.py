"""What devices ask and say of releases: what one says that it runs, over any door, reaches rollouts and registry."""

from __future__ import annotations

from typing import Any, Protocol, cast, get_args

import msgspec

from entendre.cloud.offers import ASK_LATER_S, ASK_SOON_S, shown_offer
from entendre.core.errors import InvalidInputError
from entendre.ports.fleet_devices import DeviceLogin, FleetDevice
from entendre.ports.releases import DownloadTokens
from entendre.ports.rollouts import DeviceReleases, Offer, ReleaseReport, Said
from entendre.wire.fleet_messages import ReleaseAsked

SAID: tuple[str, ...] = get_args(Said)


class Registry(Protocol):
    """Finds devices."""

    async def found(self, device: str) -> FleetDevice | None:
        """A device by its id alone."""
        ...


class Firmware(Protocol):
    """Keeps what devices run."""

    async def runs_firmware(self, device: str, firmware: str) -> None:
        """A device says what it runs. Raises: StoreError."""
        ...


class ReleaseDoor:
    """Implements `ports.rollouts.DeviceReleases`, and hears what other doors are told. `base`: for download URLs."""

    def __init__(
        self, rollouts: DeviceReleases, registry: Registry, firmware: Firmware, tokens: DownloadTokens, base: str = ""
    ) -> None:
        self._tokens = tokens
        self._base = base
        self._rollouts = rollouts
        self._registry = registry
        self._firmware = firmware

    async def ask(self, brand: str, device: str) -> Offer | None:
        """What to install now; None for nothing. Raises: StoreError, OverloadedError."""
        return await self._rollouts.ask(brand, device)

    async def waits(self, brand: str, device: str) -> bool:
        """Whether a device may have an offer soon. Raises: StoreError."""
        return await self._rollouts.waits(brand, device)

    async def report(self, brand: str, device: str, report: ReleaseReport) -> None:
        """Take down what a device says. Raises: InvalidInputError, StoreError, OverloadedError."""
        await self._rollouts.report(brand, device, report)
        if report.running:
            await self._firmware.runs_firmware(device, report.running)

    async def runs_firmware(self, device: str, firmware: str) -> None:
        """A device said over another door what it runs. Raises: StoreError, OverloadedError."""
        await self._firmware.runs_firmware(device, firmware)
        found = await self._registry.found(device)
        if found is not None:
            await self._rollouts.report(found.brand, device, ReleaseReport(running=found.firmware))

    async def ask_for(self, device: str, running: str) -> Offer | None:
        """What a device that runs a version, empty if it did not say, is to install. Raises: EntendreError."""
        found = await self._registry.found(device)
        if found is None or found.state == "revoked":
            return None
        if running:
            await self.report(found.brand, device, ReleaseReport(running=running))
        return await self.ask(found.brand, device)

    async def exchange(self, who: DeviceLogin, asked: ReleaseAsked) -> dict[str, Any]:
        """Take down what a device says over a connection, and answer what to install. Raises: EntendreError."""
        if asked.said is not None and asked.said not in SAID:
            raise InvalidInputError(f"An update is said to be {', '.join(SAID)}; that it succeeded says the version.")
        said = cast("Said | None", asked.said)
        report = ReleaseReport(asked.running, asked.rollout, asked.attempt, said, asked.detail)
        await self.report(who.brand, who.device, report)
        offer = await self.ask(who.brand, who.device)
        shown = None if offer is None else msgspec.to_builtins(shown_offer(offer, self._tokens, base=self._base))
        soon = offer is not None or await self.waits(who.brand, who.device)
        return {"offer": shown, "ask_again_s": ASK_SOON_S if soon else ASK_LATER_S}
