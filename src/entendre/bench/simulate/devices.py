"""Simulated devices: each proves who it is, reports, and installs what its maker signed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Literal

from entendre.bench.simulate.requests import Requests, UnexpectedAnswerError
from entendre.clients.device.identity import device_key, proof_text
from entendre.cloud.signatures import is_signed

OLD, FAULTY, MENDED = "1.0.0", "2.0.0", "2.0.1"
Asked = Literal["tried", "soon", "later"]
"""What came of a question: something was installed or failed, or when the device is to ask again."""
CUT_AFTER_BYTES = 20_000
SOON_S = 300.0
"""A device that is told to ask again within this is ahead of the others: simulated time is short."""


@dataclass(slots=True)
class Device:
    """One device. `cannot_run`: versions that it fails to install; `flaky`: how many attempts fail by bad luck."""

    serial: str
    token: str = ""
    id: str = ""
    firmware: str = OLD
    cannot_run: set[str] = field(default_factory=set)
    flaky: int = 0
    busy: bool = False
    downloads: bool = False


@dataclass(frozen=True, slots=True)
class Factory:
    """What devices are made with: the group that they enrol in, and the maker's public key."""

    group: str
    group_key: bytes
    public_key: bytes


async def enrol(requests: Requests, factory: Factory, device: Device) -> None:
    """First switched on: prove who it is, then be told its token."""
    who = {"group": factory.group, "serial": device.serial}
    challenge = (await requests.ask("POST", "/provision/challenge", who))["challenge"]
    key = device_key(factory.group_key, device.serial)
    proof = hmac.new(key, proof_text(factory.group, device.serial, challenge), hashlib.sha256).digest()
    body = {**who, "challenge": challenge, "proof": base64.b64encode(proof).decode(), "firmware": device.firmware}
    answer = await requests.ask("POST", "/provision", body)
    device.id, device.token = answer["device"], answer["token"]


async def come_up(requests: Requests, device: Device) -> None:
    """Read the twin and send a first reading."""
    await requests.ask("GET", "/device/twin", token=device.token)
    message = {"id": "boot", "body": {"firmware": device.firmware, "uptime_s": 1}}
    await requests.ask("POST", "/device/telemetry", {"messages": [message]}, token=device.token)


async def look_for_release(requests: Requests, factory: Factory, device: Device, install_s: float) -> Asked:
    """Ask what to install, and do so."""
    answer = await requests.ask("GET", "/device/release", token=device.token)
    offer = answer["offer"]
    if offer is None:
        return "soon" if answer["ask_again_s"] <= SOON_S else "later"
    if not is_signed(factory.public_key, offer["manifest"], base64.b64decode(offer["signature"])):
        raise UnexpectedAnswerError("A device was offered what its maker did not sign.")
    await _say(requests, device, offer, "downloading")
    if device.downloads:
        await _download(requests, offer["artifacts"][0])
    await _say(requests, device, offer, "installing")
    await asyncio.sleep(install_s)
    number = str(offer["number"])
    if number in device.cannot_run or device.flaky:
        device.flaky = max(0, device.flaky - 1)
        await _say(requests, device, offer, "failed")
    else:
        device.firmware = number
        await requests.ask("POST", "/device/release/report", {"running": number}, token=device.token)
    return "tried"


async def _say(requests: Requests, device: Device, offer: dict[str, Any], state: str) -> None:
    report = {"rollout": offer["rollout"], "attempt": offer["attempt"], "state": state}
    await requests.ask("POST", "/device/release/report", report, token=device.token)


async def _download(requests: Requests, artifact: dict[str, Any]) -> None:
    """Fetch a file over a connection that is cut, and go on where it was."""
    first = await requests.fetch(artifact["url"], stop_after=min(CUT_AFTER_BYTES, artifact["size_bytes"] // 2))
    rest = await requests.fetch(artifact["url"], start=len(first))
    if hashlib.sha256(first + rest).hexdigest() != artifact["sha256"]:
        raise UnexpectedAnswerError("A download that went on has other content than its hash.")
