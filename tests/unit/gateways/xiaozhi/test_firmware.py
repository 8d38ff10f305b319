"""Firmware reaches the device that it was offered to, whole or in ranges, for an hour."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from front_desk import Box, Desk

IMAGE = bytes(range(256)) * 40


def put(folder: Path, board: str, *versions: str) -> None:
    for version in versions:
        file = folder / "firmware" / board / f"{version}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(IMAGE)


async def offered(desk: Desk, box: Box) -> dict[str, str]:
    firmware: dict[str, str] = (await desk.boot(box))["firmware"]
    return firmware


async def test_the_newest_image_of_the_board_is_offered_to_bound_devices_only(
    desk: Desk, box: Box, tmp_path: Path
) -> None:
    put(tmp_path, "esp-box-3", "2.4.9", "2.4.10", "notes", "2.x")
    put(tmp_path, "other-board", "9.0.0")
    assert await offered(desk, box) == {"version": "2.4.2", "url": ""}
    await desk.bind(box)
    assert (await offered(desk, box))["version"] == "2.4.10"


@pytest.mark.parametrize("has", ["2.4.10", "2.4.11", "3.0"])
async def test_a_device_that_is_as_new_is_told_its_own_version(desk: Desk, box: Box, tmp_path: Path, has: str) -> None:
    put(tmp_path, "esp-box-3", "2.4.10")
    newer = replace(box, version=has)
    await desk.bind(newer)
    assert await offered(desk, newer) == {"version": has, "url": ""}


@pytest.mark.parametrize("board", ["..", "../firmware", ".hidden", "a/b", "x" * 65])
async def test_a_board_is_no_path(desk: Desk, box: Box, tmp_path: Path, board: str) -> None:
    put(tmp_path, ".hidden", "9.0.0")
    (tmp_path / "9.0.0.bin").write_bytes(IMAGE)
    odd = replace(box, board=board)
    await desk.bind(odd)
    assert (await offered(desk, odd))["url"] == ""


async def test_an_image_downloads_whole_and_in_ranges(desk: Desk, box: Box, tmp_path: Path) -> None:
    put(tmp_path, "esp-box-3", "3.0.0")
    await desk.bind(box)
    url = (await offered(desk, box))["url"]
    async with desk.client.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Length"] == str(len(IMAGE))
        assert await answer.read() == IMAGE
    async with desk.client.get(url, headers={"Range": "bytes=1000-1999"}) as answer:
        assert answer.status == 206
        assert await answer.read() == IMAGE[1000:2000]


async def test_a_url_is_of_one_device_one_image_and_one_hour(desk: Desk, box: Box, tmp_path: Path) -> None:
    put(tmp_path, "esp-box-3", "3.0.0", "2.9.0")
    _, record = await desk.bind(box)
    _, other = await desk.bind(replace(box, mac="02:11:22:33:44:66", client="other"))
    url = (await offered(desk, box))["url"]
    for changed in (
        url.replace("3.0.0", "2.9.0"),
        url.replace(record.id, other.id),
        url.replace("expires=1", "expires=2"),
        url.replace("signature=", "signature=0"),
        url.partition("?")[0],
        url.replace("expires=", "expires=x"),
    ):
        async with desk.client.get(changed) as answer:
            assert (answer.status, await answer.json()) == (403, {"error": "bad_signature"}), changed
    desk.clock.now_s += 3_601
    async with desk.client.get(url) as answer:
        assert (answer.status, await answer.json()) == (403, {"error": "url_expired"})


async def test_a_revoked_device_downloads_nothing(desk: Desk, box: Box, tmp_path: Path) -> None:
    put(tmp_path, "esp-box-3", "3.0.0")
    _, record = await desk.bind(box)
    url = (await offered(desk, box))["url"]
    await desk.devices.revoke(record.id, by="cli")
    async with desk.client.get(url) as answer:
        assert answer.status == 403


async def test_an_image_that_went_away_is_not_found(desk: Desk, box: Box, tmp_path: Path) -> None:
    put(tmp_path, "esp-box-3", "3.0.0")
    await desk.bind(box)
    url = (await offered(desk, box))["url"]
    (tmp_path / "firmware" / "esp-box-3" / "3.0.0.bin").unlink()
    async with desk.client.get(url) as answer:
        assert answer.status == 404


async def test_an_empty_image_is_none(desk: Desk, box: Box, tmp_path: Path) -> None:
    put(tmp_path, "esp-box-3", "3.0.0")
    (tmp_path / "firmware" / "esp-box-3" / "3.0.0.bin").write_bytes(b"")
    await desk.bind(box)
    assert (await offered(desk, box))["url"] == ""
