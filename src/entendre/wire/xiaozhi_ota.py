"""The xiaozhi protocol's OTA request, answer and activation: what a device reports, and what it can safely be told.

Source: xiaozhi-esp32 2.4.2 `ota.cc`, `board.cc`, `settings.cc`. A member name over 15 characters, or a value over about
4,000 bytes, in `mqtt` or `websocket` makes the device restart on every boot; so the answer has exactly the members that
it knows.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from entendre.core.errors import InvalidInputError
from entendre.wire.lenient import Json, count_of, object_of, parse_object, text_of

MAX_REPORT_BYTES = 32 * 1024
"""A real report is about 2 kB; a longer body is not read, and the device is told its configuration all the same."""
MAX_VALUE_BYTES = 4_000
MAX_NAME_CHARS = 64
MAX_LANGUAGE_CHARS = 35
SERIAL_CHARS = 32
ACTIVATION_ALGORITHM = "hmac-sha256"
DEFAULT_MQTT_PORT = 8883

_MAC = re.compile(r"(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{12}")
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,7}", re.ASCII)
_HEX_64 = re.compile(r"[0-9a-f]{64}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """Who asks, as far as it can be told; empty is unknown. `device_id` is a MAC such as `02:11:22:33:44:55`."""

    device_id: str = ""
    client_id: str = ""
    activation_version: int = 1
    serial_number: str = ""
    board: str = ""
    board_name: str = ""
    chip: str = ""
    application: str = ""
    firmware_version: str = ""
    firmware_sha256: str = ""
    language: str = ""
    flash_size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ActivationProof:
    """What a device answers to a challenge; all empty for a device without a serial number."""

    serial_number: str = ""
    challenge: str = ""
    hmac_hex: str = ""

    def matches(self, key: bytes, challenge: str) -> bool:
        """Whether it was made with this key for this challenge, in constant time."""
        made = hmac.new(key, challenge.encode(), hashlib.sha256).hexdigest()
        same_challenge = hmac.compare_digest(self.challenge.encode(), challenge.encode())
        return hmac.compare_digest(self.hmac_hex.encode(), made.encode()) and same_challenge


@dataclass(frozen=True, slots=True)
class WebSocketOffer:
    """Where the device talks. `framing` is 1, 2 or 3. Raises: InvalidInputError."""

    url: str
    token: str
    framing: int = 3

    def __post_init__(self) -> None:
        check_device_url(self.url, ("ws", "wss"))
        _check_members(self.document())
        if self.framing not in (1, 2, 3):
            raise InvalidInputError("The binary framing is 1, 2 or 3.")

    def document(self) -> Json:
        """As the device reads it."""
        return {"url": self.url, "token": self.token, "version": self.framing}


@dataclass(frozen=True, slots=True)
class MqttOffer:
    """Where the device connects by MQTT. Raises: InvalidInputError."""

    endpoint: str
    client_id: str
    username: str
    password: str
    publish_topic: str
    keepalive_s: int = 240
    subscribe_topic: str = "null"

    def __post_init__(self) -> None:
        check_endpoint(self.endpoint)
        _check_members(self.document())

    def document(self) -> Json:
        """As the device reads it."""
        login = {"client_id": self.client_id, "username": self.username, "password": self.password}
        topics = {"publish_topic": self.publish_topic, "subscribe_topic": self.subscribe_topic}
        return {"endpoint": self.endpoint} | login | topics | {"keepalive": self.keepalive_s}


@dataclass(frozen=True, slots=True)
class ActivationOffer:
    """What an unbound device shows and says; without a code, a silent check of a device that has a key."""

    challenge: str
    code: str = ""
    message: str = ""
    timeout_ms: int = 30_000

    def document(self) -> Json:
        """As the device reads it."""
        shown = {"code": self.code, "message": self.message} if self.code else {}
        return shown | {"challenge": self.challenge, "timeout_ms": self.timeout_ms}


@dataclass(frozen=True, slots=True)
class FirmwareOffer:
    """An image to install. Raises: InvalidInputError."""

    version: str
    url: str
    force: bool = False

    def __post_init__(self) -> None:
        if version_numbers(self.version) is None:
            raise InvalidInputError("A firmware version is digits and dots, such as 2.4.2.")
        check_device_url(self.url, ("http", "https"))

    def document(self) -> Json:
        """As the device reads it."""
        return {"version": self.version, "url": self.url} | ({"force": 1} if self.force else {})


def read_report(headers: Mapping[str, str], body: bytes) -> DeviceReport:
    """What the request says of its device. Never fails: a broken body leaves what the headers say."""
    head = {name.lower(): value for name, value in headers.items()}
    document = (parse_object(body) if len(body) <= MAX_REPORT_BYTES else None) or {}
    application, board = object_of(document, "application"), object_of(document, "board")
    agent_board, agent_version = _agent(head.get("user-agent", ""))
    macs = (head.get("device-id", ""), text_of(document, "mac_address", 32), text_of(board, "mac", 32))
    clients = (head.get("client-id", ""), text_of(document, "uuid", MAX_NAME_CHARS))
    versions = (text_of(application, "version", MAX_NAME_CHARS), agent_version)
    sha256 = text_of(application, "elf_sha256", 64).lower()
    return DeviceReport(
        device_id=next((mac for each in macs if (mac := normal_mac(each))), ""),
        client_id=next((each for each in clients if _CLIENT_ID.fullmatch(each)), ""),
        activation_version=2 if head.get("activation-version", "").strip() == "2" else 1,
        serial_number=_serial(head.get("serial-number", "")),
        board=text_of(board, "type", MAX_NAME_CHARS) or agent_board,
        board_name=text_of(board, "name", MAX_NAME_CHARS) or agent_board,
        chip=text_of(document, "chip_model_name", MAX_NAME_CHARS),
        application=text_of(application, "name", MAX_NAME_CHARS),
        firmware_version=next((each for each in versions if version_numbers(each)), ""),
        firmware_sha256=sha256 if _HEX_64.fullmatch(sha256) else "",
        language=_language(head.get("accept-language", ""), text_of(document, "language", MAX_LANGUAGE_CHARS)),
        flash_size_bytes=count_of(document, "flash_size"),
    )


def read_activation(body: bytes) -> ActivationProof:
    """The proof in any of the three shapes that clients send; empty where there is none."""
    document = (parse_object(body) if len(body) <= MAX_REPORT_BYTES else None) or {}
    document = object_of(document, "Payload") or document
    if text_of(document, "algorithm", MAX_NAME_CHARS, ACTIVATION_ALGORITHM) != ACTIVATION_ALGORITHM:
        return ActivationProof()
    proof = text_of(document, "hmac", 64).lower()
    return ActivationProof(
        serial_number=_serial(text_of(document, "serial_number", MAX_NAME_CHARS)),
        challenge=text_of(document, "challenge", 256),
        hmac_hex=proof if _HEX_64.fullmatch(proof) else "",
    )


def build_response(
    report: DeviceReport,
    *,
    server_time_ms: int,
    timezone_offset_min: int,
    websocket: WebSocketOffer,
    mqtt: MqttOffer | None = None,
    activation: ActivationOffer | None = None,
    firmware: FirmwareOffer | None = None,
) -> Json:
    """The answer to an OTA request. Without a newer `firmware`, the device's own version is echoed.

    A device whose own version is not digits is told nothing of firmware: comparing would crash it.
    """
    document: Json = {"server_time": {"timestamp": server_time_ms, "timezone_offset": timezone_offset_min}}
    if report.firmware_version:
        wanted = firmware and (firmware.force or is_newer(firmware.version, report.firmware_version))
        echo = {"version": report.firmware_version, "url": ""}
        document["firmware"] = firmware.document() if firmware and wanted else echo
    document["websocket"] = websocket.document()
    if mqtt is not None:
        document["mqtt"] = mqtt.document()
    if activation is not None:
        document["activation"] = activation.document()
    return document


def normal_mac(text: str) -> str:
    """A MAC address as `02:11:22:33:44:55`, empty where it is none or a group's."""
    lower = text.strip().lower()
    if not _MAC.fullmatch(lower):
        return ""
    digits = lower.replace(":", "").replace("-", "")
    if int(digits[:2], 16) & 1 or not int(digits, 16):
        return ""
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def version_numbers(text: str) -> tuple[int, ...] | None:
    """The numbers of a dotted version, None where the device could not read it."""
    return tuple(int(part) for part in text.split(".")) if _VERSION.fullmatch(text) else None


def is_newer(candidate: str, installed: str) -> bool:
    """Whether the device would install it; as on the device, 2.4.0 is newer than 2.4."""
    new, old = version_numbers(candidate), version_numbers(installed)
    return new is not None and old is not None and new > old


def check_device_url(url: str, schemes: tuple[str, ...]) -> str:
    """The URL, if the device's parser can read it. Raises: InvalidInputError."""
    scheme, found, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if not found or scheme not in schemes:
        raise InvalidInputError(f"A device needs a URL with {' or '.join(schemes)}://.")
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > MAX_VALUE_BYTES:
        raise InvalidInputError("A device's URL has no spaces and no letters beyond ASCII.")
    if "[" in host:
        raise InvalidInputError("A device can't read an IPv6 address in a URL; use a host name.")
    check_endpoint(host)
    if slash and ":" in path and ":" not in host:
        raise InvalidInputError("A device's URL may have a colon in its path only if it names a port.")
    return url


def check_endpoint(endpoint: str) -> tuple[str, int | None]:
    """The host and the port of `host` or `host:port`. Raises: InvalidInputError."""
    host, colon, port = endpoint.partition(":")
    if not _HOST.fullmatch(host):
        raise InvalidInputError("A device needs a host name or an IPv4 address.")
    if not colon:
        return host, None
    if not re.fullmatch(r"[1-9]\d{0,4}", port, re.ASCII) or int(port) > 65_535:
        raise InvalidInputError("Behind the colon of a device's address comes a port from 1 to 65535.")
    return host, int(port)


def _check_members(document: Json) -> None:
    for name, value in document.items():
        if isinstance(value, str) and len(value.encode()) > MAX_VALUE_BYTES:
            raise InvalidInputError(f"{name} is longer than {MAX_VALUE_BYTES} bytes, which restarts the device.")


def _serial(text: str) -> str:
    stripped = text.strip()
    return stripped if _CLIENT_ID.fullmatch(stripped) and len(stripped) <= SERIAL_CHARS else ""


def _agent(text: str) -> tuple[str, str]:
    """Board and firmware version of `<board>/<version>`."""
    board, slash, version = text.strip().rpartition("/")
    return (board[:MAX_NAME_CHARS], version) if slash and version_numbers(version) else ("", "")


def _language(header: str, reported: str) -> str:
    """The first language tag that is one."""
    for text in (header.split(",")[0].split(";")[0].strip(), reported):
        if re.fullmatch(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}", text):
            return text.replace("_", "-")
    return ""
