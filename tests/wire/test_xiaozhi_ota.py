"""The OTA request and its answer: a broken body costs nothing, and the answer holds nothing that crashes a device."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entendre.core.errors import InvalidInputError
from entendre.wire.xiaozhi_ota import (
    MAX_REPORT_BYTES,
    ActivationOffer,
    ActivationProof,
    DeviceReport,
    FirmwareOffer,
    MqttOffer,
    WebSocketOffer,
    build_response,
    check_device_url,
    check_endpoint,
    is_newer,
    normal_mac,
    read_activation,
    read_report,
    version_numbers,
)

MAC = "02:11:22:33:44:55"
UUID = "7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11"
SERIAL = "SN0123456789abcdef0123456789abcd"
HEADERS = {
    "Device-Id": MAC,
    "Client-Id": UUID,
    "Activation-Version": "2",
    "Serial-Number": SERIAL,
    "User-Agent": "esp-box-3/2.4.2",
    "Accept-Language": "en-US",
    "Content-Type": "application/json",
}
BODY: dict[str, Any] = {
    "version": 2,
    "language": "de-DE",
    "flash_size": 16777216,
    "minimum_free_heap_size": "8318916",
    "mac_address": MAC,
    "uuid": UUID,
    "chip_model_name": "esp32s3",
    "chip_info": {"model": 9, "cores": 2, "revision": 2, "features": 18},
    "application": {"name": "xiaozhi", "version": "2.4.2", "idf_version": "v6.0", "elf_sha256": "Ab" * 32},
    "partition_table": [{"label": "nvs", "type": 1, "subtype": 2, "address": 36864, "size": 16384}],
    "ota": {"label": "ota_0"},
    "board": {"type": "esp-box-3", "name": "My box", "ssid": "home", "rssi": -52, "ip": "192.0.2.17", "mac": MAC},
}
REPORT = DeviceReport(
    device_id=MAC,
    client_id=UUID,
    activation_version=2,
    serial_number=SERIAL,
    board="esp-box-3",
    board_name="My box",
    chip="esp32s3",
    application="xiaozhi",
    firmware_version="2.4.2",
    firmware_sha256="ab" * 32,
    language="en-US",
    flash_size_bytes=16_777_216,
)
WEBSOCKET = WebSocketOffer("wss://voice.example.org/xiaozhi/v1/", "dev_k1.abc")
MQTT = MqttOffer("voice.example.org:8883", "GID@@@02_11@@@u", "dXNlcg==", "cGFzcw==", "device-server")


def test_the_whole_report_is_read() -> None:
    assert read_report(HEADERS, json.dumps(BODY).encode()) == REPORT
    lower = {name.lower(): value for name, value in HEADERS.items()}
    assert read_report(lower, json.dumps(BODY).encode()) == REPORT


@pytest.mark.parametrize("cut", [1, 40, 200, 400])
def test_a_malformed_body_leaves_what_the_headers_say(cut: int) -> None:
    report = read_report(HEADERS, json.dumps(BODY).encode()[:-cut])
    assert (report.device_id, report.client_id, report.serial_number) == (MAC, UUID, SERIAL)
    assert (report.board, report.firmware_version, report.language) == ("esp-box-3", "2.4.2", "en-US")


def test_a_report_without_headers_is_read_from_its_body() -> None:
    report = read_report({}, json.dumps(BODY).encode())
    assert (report.device_id, report.client_id, report.language) == (MAC, UUID, "de-DE")
    assert (report.activation_version, report.serial_number) == (1, "")
    only_board = {"application": {"version": "1.2"}, "board": {"mac": "AABBCCDDEEF0"}}
    sdk = read_report({}, json.dumps(only_board).encode())
    assert (sdk.device_id, sdk.firmware_version, sdk.client_id, sdk.language) == ("aa:bb:cc:dd:ee:f0", "1.2", "", "")


def test_nothing_at_all_is_a_report_too() -> None:
    assert read_report({}, b"") == DeviceReport()
    assert read_report({}, b"[]") == DeviceReport()
    too_long = json.dumps(BODY | {"x": "x" * MAX_REPORT_BYTES}).encode()
    assert read_report({}, too_long) == DeviceReport()


def test_wrong_values_are_left_out() -> None:
    headers = {
        "Device-Id": "not a mac",
        "Client-Id": "a b",
        "Activation-Version": "2.1.0",  # py-xiaozhi sends its own version
        "Serial-Number": "x" * 33,
        "User-Agent": "Mozilla/5.0 (X11)",
        "Accept-Language": "*",
    }
    assert (
        read_report(headers, b'{"application":{"version":"v2","elf_sha256":"xyz"},"flash_size":-1}') == DeviceReport()
    )
    assert read_report({"User-Agent": "board/x/1.9"}, b"").board == "board/x"
    assert read_report({"Accept-Language": "zh_CN,zh;q=0.9"}, b"").language == "zh-CN"
    assert read_report({"Serial-Number": ""}, b"").serial_number == ""


@given(st.dictionaries(st.sampled_from(list(HEADERS)), st.text(max_size=40)), st.binary(max_size=200))
def test_any_request_gives_a_report(headers: dict[str, str], body: bytes) -> None:
    report = read_report(headers, body)
    assert not report.device_id or normal_mac(report.device_id) == report.device_id
    build_response(report, server_time_ms=0, timezone_offset_min=0, websocket=WEBSOCKET)


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        (MAC, MAC),
        (" 02-11-22-33-44-55\n", MAC),
        ("021122334455", MAC),
        ("02:11:22:33:44:5G", ""),
        ("02:11-22:33:44:55", ""),
        ("01:00:5e:00:00:01", ""),  # a group's
        ("ff:ff:ff:ff:ff:ff", ""),
        ("00:00:00:00:00:00", ""),
        ("", ""),
        (MAC + ":66", ""),
    ],
)
def test_a_mac_is_normalised_or_nothing(text: str, mac: str) -> None:
    assert normal_mac(text) == mac


def answer(**more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"report": REPORT, "websocket": WEBSOCKET} | more
    return build_response(given.pop("report"), server_time_ms=1_790_000_000_000, timezone_offset_min=120, **given)


def test_a_bound_device_is_told_its_server_and_its_own_version() -> None:
    assert answer() == {
        "server_time": {"timestamp": 1_790_000_000_000, "timezone_offset": 120},
        "firmware": {"version": "2.4.2", "url": ""},
        "websocket": {"url": "wss://voice.example.org/xiaozhi/v1/", "token": "dev_k1.abc", "version": 3},
    }


def test_an_unbound_device_is_told_its_code_and_always_a_challenge() -> None:
    offer = ActivationOffer("b2f1", "482913", "voice.example.org\n482913")
    assert answer(activation=offer)["activation"] == {
        "code": "482913",
        "message": "voice.example.org\n482913",
        "challenge": "b2f1",
        "timeout_ms": 30_000,
    }
    assert answer(activation=ActivationOffer("b2f1"))["activation"] == {"challenge": "b2f1", "timeout_ms": 30_000}


def test_mqtt_has_every_member_that_firmware_old_and_new_reads() -> None:
    assert answer(mqtt=MQTT)["mqtt"] == {
        "endpoint": "voice.example.org:8883",
        "client_id": "GID@@@02_11@@@u",
        "username": "dXNlcg==",
        "password": "cGFzcw==",
        "publish_topic": "device-server",
        "subscribe_topic": "null",
        "keepalive": 240,
    }


def test_no_member_restarts_a_device() -> None:
    for part in answer(mqtt=MQTT).values():
        assert all(len(name) <= 15 for name in part)
    long = "x" * 4_001
    with pytest.raises(InvalidInputError, match="token is longer"):
        WebSocketOffer("ws://h/", long)
    with pytest.raises(InvalidInputError, match="password is longer"):
        MqttOffer("h", "c", "u", "é" * 2_001, "t")
    assert WebSocketOffer("ws://h/", long[:4_000]).token == long[:4_000]
    with pytest.raises(InvalidInputError, match="framing"):
        WebSocketOffer("ws://h/", "t", 4)


def test_firmware_is_offered_only_where_it_is_newer_or_forced() -> None:
    url = "https://voice.example.org/fw/xiaozhi.bin"
    assert answer(firmware=FirmwareOffer("2.5", url))["firmware"] == {"version": "2.5", "url": url}
    for old in ("2.4.2", "2.4", "1.9.9"):
        assert answer(firmware=FirmwareOffer(old, url))["firmware"] == {"version": "2.4.2", "url": ""}
    forced = FirmwareOffer("2.4.1", url, force=True)
    assert answer(firmware=forced)["firmware"] == {"version": "2.4.1", "url": url, "force": 1}
    with pytest.raises(InvalidInputError, match="digits and dots"):
        FirmwareOffer("v2.5", url)
    with pytest.raises(InvalidInputError, match="http or https"):
        FirmwareOffer("2.5", "")


def test_a_device_of_unknown_version_is_told_nothing_of_firmware() -> None:
    told = answer(report=DeviceReport(device_id=MAC), firmware=FirmwareOffer("9.9", "http://h/x.bin", force=True))
    assert "firmware" not in told


@pytest.mark.parametrize(
    ("candidate", "installed", "newer"),
    [
        ("2.4.3", "2.4.2", True),
        ("2.10.0", "2.9.9", True),
        ("2.4.2", "2.4.2", False),
        ("2.4.0", "2.4", True),
        ("2.4", "2.4.0", False),
        ("1.9", "2.0", False),
        ("v3", "2.0", False),
        ("3", "2..0", False),
    ],
)
def test_versions_compare_as_on_the_device(candidate: str, installed: str, newer: bool) -> None:
    assert is_newer(candidate, installed) is newer


@pytest.mark.parametrize(
    "text", ["", "v2.4", "2..4", "2.4-dev", "2.4.", ".2", "٣.1", "9999999999", "1." * 8 + "1", "1\n"]
)
def test_a_version_that_throws_on_the_device_is_none(text: str) -> None:
    assert version_numbers(text) is None


@pytest.mark.parametrize(
    "url",
    [
        "ws://192.0.2.1:8080/xiaozhi/v1/",
        "wss://voice.example.org/xiaozhi/v1/?a=b",
        "ws://h",
        "wss://h:65535/a:b",
        "ws://h/",
    ],
)
def test_urls_that_a_device_reads(url: str) -> None:
    assert check_device_url(url, ("ws", "wss")) == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://h/", "ws or wss"),
        ("h/path", "ws or wss"),
        ("", "ws or wss"),
        ("ws://[2001:db8::1]:80/", "IPv6"),
        ("ws://h/a:b", "colon in its path"),
        ("ws://h:/a", "port"),
        ("ws://h:0/a", "port"),
        ("ws://h:65536/", "port"),
        ("ws://h:٣/", "ASCII"),
        ("ws://user@h/", "host name"),
        ("ws:///path", "host name"),
        ("ws://h/a b", "spaces"),
        ("ws://h/\n", "spaces"),
        ("ws://h/" + "x" * 4_000, "spaces"),
    ],
)
def test_urls_that_a_device_stumbles_over(url: str, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        check_device_url(url, ("ws", "wss"))


def test_an_endpoint_is_a_host_with_or_without_a_port() -> None:
    assert check_endpoint("voice.example.org") == ("voice.example.org", None)
    assert check_endpoint("192.0.2.1:1883") == ("192.0.2.1", 1883)
    for bad in ("", ":1883", "mqtt://h", "h:1883x", "::1", "-h", "h."):
        with pytest.raises(InvalidInputError):
            check_endpoint(bad)


KEY = bytes(range(32))
CHALLENGE = "b2f1-random"
PROOF = hmac.new(KEY, CHALLENGE.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "body",
    [
        {"algorithm": "hmac-sha256", "serial_number": SERIAL, "challenge": CHALLENGE, "hmac": PROOF},
        {"Payload": {"algorithm": "hmac-sha256", "serial_number": SERIAL, "challenge": CHALLENGE, "hmac": PROOF}},
        {"serial_number": SERIAL, "challenge": CHALLENGE, "hmac": PROOF.upper()},
    ],
)
def test_three_shapes_of_the_same_proof(body: dict[str, Any]) -> None:
    proof = read_activation(json.dumps(body).encode())
    assert proof == ActivationProof(SERIAL, CHALLENGE, PROOF)
    assert proof.matches(KEY, CHALLENGE)
    assert not proof.matches(KEY, "another")
    assert not proof.matches(b"another key", CHALLENGE)


def test_a_replayed_challenge_does_not_match() -> None:
    answered_old = ActivationProof(SERIAL, "old", hmac.new(KEY, CHALLENGE.encode(), hashlib.sha256).hexdigest())
    assert not answered_old.matches(KEY, CHALLENGE)


@pytest.mark.parametrize(
    "body", [b"{}", b"", b"[]", b"\xff", b'{"Payload":5}', b"x" * 40_000, b'{"algorithm":"none","hmac":"' + b"a" * 64]
)
def test_a_device_without_a_serial_number_proves_nothing(body: bytes) -> None:
    proof = read_activation(body)
    assert proof == ActivationProof()
    assert not proof.matches(KEY, CHALLENGE)
    assert not proof.matches(b"", "")


def test_another_algorithm_or_a_short_proof_proves_nothing() -> None:
    other = {"algorithm": "none", "serial_number": SERIAL, "challenge": CHALLENGE, "hmac": PROOF}
    assert read_activation(json.dumps(other).encode()) == ActivationProof()
    short = {"serial_number": SERIAL, "challenge": CHALLENGE, "hmac": PROOF[:-1]}
    assert read_activation(json.dumps(short).encode()) == ActivationProof(SERIAL, CHALLENGE, "")
