"""What devices ask of the cloud, done the same way for every connection that they hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from entendre.core.errors import InvalidInputError, NotFoundError
from entendre.ports.commands import CommandAnswer
from entendre.ports.fleet_devices import DeviceLogin
from entendre.ports.fleet_twins import TwinPatch, Twins
from entendre.ports.telemetry import Telemetry, TelemetryMessage
from entendre.wire import fleet_messages as wire

Releases = Callable[[DeviceLogin, wire.ReleaseAsked], Awaitable[dict[str, Any]]]
"""Takes down how an update goes, and answers what to install. Raises: EntendreError."""


class Firmware(Protocol):
    """Who is told what devices run."""

    async def runs_firmware(self, device: str, firmware: str) -> None:
        """A device says what it runs. Raises: StoreError."""
        ...


class Inbox(Protocol):
    """What is done with the answers of devices."""

    async def answered(self, device: str, command: str, answer: CommandAnswer) -> object | None:
        """Keep an answer; durable when it returns. None for no command of this device. Raises: TooLargeError."""
        ...


class DeviceDesk:
    """Follows requests of devices that are known; everything that is acknowledged is durable."""

    def __init__(
        self,
        twins: Twins,
        telemetry: Telemetry,
        inbox: Inbox,
        firmware: Firmware,
        *,
        again: Callable[[str], None],
        releases: Releases | None = None,
    ) -> None:
        """`again`: hand a device everything that waits for it."""
        self._twins = twins
        self._telemetry = telemetry
        self._inbox = inbox
        self._firmware = firmware
        self._again = again
        self.releases = releases

    async def follow(self, who: DeviceLogin, request: wire.DeviceRequest) -> dict[str, Any]:
        """Do what a device asks for; the members of the answer. Raises: EntendreError."""
        match request:
            case wire.TwinAsked():
                return await self._twin(who)
            case wire.TwinReported(patch):
                reported = TwinPatch(who.brand, who.device, "reported", patch)
                change = await self._twins.patch(reported, by=f"device:{who.device}")
                return {"version": change.version}
            case wire.TelemetrySent(messages):
                batch = [TelemetryMessage(each.body, each.id, each.at_s) for each in messages]
                return {"kept": await self._telemetry.take(who.brand, who.device, batch)}
            case wire.CommandAnswered():
                return await self._answered(who, request)
            case wire.CommandsAsked():
                self._again(who.device)
                return {}
            case wire.FirmwareSaid(version):
                await self._firmware.runs_firmware(who.device, version)
                return {}
            case wire.ReleaseAsked():
                if self.releases is None:
                    raise InvalidInputError("This server offers no releases.")
                return await self.releases(who, request)

    async def _twin(self, who: DeviceLogin) -> dict[str, Any]:
        twin = await self._twins.get(who.brand, who.device)
        return {
            "desired": twin.desired,
            "desired_version": twin.desired_version,
            "reported": twin.reported,
            "reported_version": twin.reported_version,
        }

    async def _answered(self, who: DeviceLogin, answered: wire.CommandAnswered) -> dict[str, Any]:
        answer = CommandAnswer(answered.status, answered.result)
        if await self._inbox.answered(who.device, answered.command, answer) is None:
            raise NotFoundError("There is no such command.")
        return {}
