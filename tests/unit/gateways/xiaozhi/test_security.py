"""What a stranger tries: other people's activations, MAC addresses, tokens and codes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from front_desk import Box, Desk

from entendre.core.device import Admitted, DeviceIdentity, Refusal, Refused, Unbound
from entendre.core.errors import InvalidInputError, OverloadedError
from entendre.core.quotas import quota_address
from entendre.gateways.xiaozhi.ota import OtaSettings
from entendre.store import Devices, device_watch
from entendre.store.device_admission import AdmissionRules
from entendre.store.devices import MAX_WRONG_CODES, MAX_WRONG_CODES_OF_ALL, WRONG_CODES_S

SERIAL = "S" * 32
KEY = b"\x07" * 32


@pytest.fixture
def serious(box: Box) -> Box:
    """A device with a key burnt in."""
    return replace(box, serial=SERIAL, key=KEY)


async def wrong_code(desk: Desk) -> str:
    """A code that no device shows."""
    shown = {each.code for each in await desk.devices.pending()}
    return next(f"{number:06d}" for number in range(1_000) if f"{number:06d}" not in shown)


async def opens(desk: Desk, box: Box, configured: dict[str, Any]) -> bool:
    """Whether what a device was told lets it in."""
    found = await desk.devices.verify(configured["websocket"]["token"], box.mac, box.client)
    return isinstance(found, Admitted)


# -- activation -----------------------------------------------------------------------------------------------------


async def test_a_replayed_activation_is_refused(desk: Desk, serious: Box) -> None:
    shown = (await desk.boot(serious))["activation"]
    proof = serious.proof(shown["challenge"])
    assert await desk.poll(serious, body=proof) == 202
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(serious, body=proof) == 200
    assert await desk.poll(serious, body=proof) == 403
    assert (await desk.boot(serious))["websocket"]["token"]
    assert await desk.poll(serious, body=proof) == 403


async def test_an_activation_of_yesterday_opens_nothing_today(desk: Desk, serious: Box) -> None:
    await desk.devices.enrol(SERIAL, KEY, by="cli")
    shown = (await desk.boot(serious))["activation"]
    recorded = serious.proof(shown["challenge"])
    assert await desk.poll(serious, body=recorded) == 202
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(serious, body=recorded) == 200
    await desk.boot(serious)
    desk.clock.now_s += 86_400
    assert not await opens(desk, serious, await desk.boot(serious))
    assert await desk.poll(serious, body=recorded) == 403
    assert not await opens(desk, serious, await desk.boot(serious))


async def test_a_superseded_challenge_is_refused(desk: Desk, serious: Box) -> None:
    old = (await desk.boot(serious))["activation"]["challenge"]
    new = (await desk.boot(serious))["activation"]["challenge"]
    assert await desk.poll(serious, old) == 403
    assert await desk.poll(serious, new) == 202


async def test_a_wrong_hmac_is_refused_and_its_device_cannot_be_bound(desk: Desk, serious: Box) -> None:
    await desk.devices.enrol(SERIAL, KEY, by="cli")
    fake = replace(serious, key=b"\x08" * 32)
    shown = (await desk.boot(fake))["activation"]
    assert await desk.poll(fake, shown["challenge"]) == 403
    assert await desk.poll(fake, body={}) == 403
    with pytest.raises(InvalidInputError, match="proven"):
        await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.devices.devices() == ()


async def test_a_proof_for_another_serial_is_refused(desk: Desk, serious: Box) -> None:
    other = replace(serious, serial="T" * 32)
    shown = (await desk.boot(serious))["activation"]
    assert await desk.poll(serious, body=other.proof(shown["challenge"])) == 403


async def test_leaving_the_serial_out_does_not_leave_the_key_out(desk: Desk, serious: Box, box: Box) -> None:
    await desk.devices.enrol(SERIAL, KEY, by="cli")
    shown = (await desk.boot(serious))["activation"]
    assert await desk.poll(serious, shown["challenge"]) == 202
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(serious, shown["challenge"]) == 200
    await desk.boot(serious)
    downgraded = await desk.boot(box)
    assert not await opens(desk, box, downgraded)
    assert downgraded["activation"]["code"]


async def test_a_proof_made_elsewhere_gives_its_token_to_nobody_else(desk: Desk, serious: Box) -> None:
    await desk.devices.enrol(SERIAL, KEY, by="cli")
    shown = (await desk.boot(serious))["activation"]
    await desk.poll(serious, shown["challenge"])
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(serious, shown["challenge"]) == 200
    from_elsewhere = await desk.devices.announce(identity_of(serious), "203.0.113.9")
    assert isinstance(from_elsewhere, Unbound)
    assert from_elsewhere.code == ""


async def test_the_token_of_an_unbound_device_counts_once_it_was_bound_and_asked(desk: Desk, box: Box) -> None:
    shown = await desk.boot(box)
    assert isinstance(await desk.devices.verify(shown["websocket"]["token"], box.mac, box.client), Unbound)
    await desk.devices.bind(shown["activation"]["code"], by="cli", guesser="cli")
    assert not await opens(desk, box, shown)
    assert await desk.poll(box) == 200
    assert await opens(desk, box, shown)
    assert not await opens(desk, replace(box, client="another"), shown)


async def test_whoever_asked_with_the_same_ids_in_between_has_nothing(desk: Desk, serious: Box) -> None:
    await desk.devices.enrol(SERIAL, KEY, by="cli")
    thief = replace(serious, key=b"\x08" * 32)
    before = await desk.boot(thief)
    shown = await desk.boot(serious)
    assert await desk.poll(serious, shown["activation"]["challenge"]) == 202
    await desk.devices.bind(shown["activation"]["code"], by="cli", guesser="cli")
    assert await desk.poll(serious, shown["activation"]["challenge"]) == 200
    assert await opens(desk, serious, shown)
    assert not await opens(desk, thief, before)


async def test_asking_after_the_owner_typed_does_not_take_the_binding_over(desk: Desk, serious: Box) -> None:
    await desk.devices.enrol(SERIAL, KEY, by="cli")
    shown = await desk.boot(serious)
    assert await desk.poll(serious, shown["activation"]["challenge"]) == 202
    await desk.devices.bind(shown["activation"]["code"], by="cli", guesser="cli")
    thief = replace(serious, key=b"\x08" * 32)
    between = await desk.boot(thief)
    assert await desk.poll(thief, between["activation"]["challenge"]) == 403
    assert await desk.poll(serious, shown["activation"]["challenge"]) == 403
    assert not await opens(desk, thief, between)
    again = await desk.boot(serious)
    assert await desk.poll(serious, again["activation"]["challenge"]) == 200
    assert await opens(desk, serious, again)
    assert not await opens(desk, thief, between)


async def test_a_bound_device_that_has_yet_to_prove_its_key_may_wait_and_nothing_else(desk: Desk, serious: Box) -> None:
    await desk.devices.enrol(SERIAL, KEY, by="cli")
    shown = (await desk.boot(serious))["activation"]
    await desk.poll(serious, shown["challenge"])
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(serious, shown["challenge"]) == 200
    await desk.boot(serious)
    desk.clock.now_s += 3_600
    again = await desk.boot(serious)
    token = again["websocket"]["token"]
    waiting = await desk.devices.verify(token, serious.mac, serious.client)
    assert isinstance(waiting, Unbound)
    assert (waiting.code, waiting.challenge, waiting.token) == ("", "", "")
    assert await desk.devices.verify("", serious.mac, serious.client) == Refused(Refusal.TOKEN_UNKNOWN)
    assert await desk.devices.verify(token[:-1] + "_", serious.mac, serious.client) == Refused(Refusal.TOKEN_UNKNOWN)
    assert await desk.poll(serious, again["activation"]["challenge"]) == 200
    assert await opens(desk, serious, again)


async def test_a_code_lasts_ten_minutes(desk: Desk, box: Box) -> None:
    shown = (await desk.boot(box))["activation"]
    desk.clock.now_s += 601
    with pytest.raises(InvalidInputError):
        await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(box) == 403


async def test_a_code_binds_once(desk: Desk, box: Box) -> None:
    shown = (await desk.boot(box))["activation"]
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    with pytest.raises(InvalidInputError):
        await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert len(await desk.devices.devices()) == 1


# -- other people's devices -----------------------------------------------------------------------------------------


async def test_another_devices_mac_with_another_client_id_gets_nothing(desk: Desk, box: Box) -> None:
    token, record = await desk.bind(box)
    thief = replace(box, client="ffffffff-0d2f-4a58-9f3e-3f9d8c1f2a11")
    answer = await desk.boot(thief)
    assert not await opens(desk, thief, answer)
    assert not await opens(desk, box, answer)
    assert "mqtt" not in answer
    assert await desk.poll(thief) == 202
    assert not isinstance(await desk.devices.verify("", thief.mac, thief.client), Admitted)
    assert await desk.devices.verify(token, thief.mac, thief.client) == Refused(Refusal.IDENTITY_MISMATCH)
    assert isinstance(await desk.devices.verify(token, box.mac, box.client), Admitted)
    after = await desk.devices.record(record.id)
    assert after is not None
    assert (after.client, after.firmware) == (box.client, box.version)


async def test_a_token_of_one_device_does_not_open_for_another(desk: Desk, box: Box) -> None:
    other = replace(box, mac="02:11:22:33:44:66", client="other")
    token, _ = await desk.bind(box)
    await desk.bind(other)
    for mac, client in ((other.mac, other.client), (other.mac, box.client), (box.mac, other.client)):
        assert await desk.devices.verify(token, mac, client) == Refused(Refusal.IDENTITY_MISMATCH)


async def test_a_serial_of_another_device_cannot_be_bound_twice(desk: Desk, box: Box) -> None:
    await desk.bind(replace(box, serial=SERIAL))
    clone = replace(box, mac="02:11:22:33:44:66", client="clone", serial=SERIAL)
    shown = (await desk.boot(clone))["activation"]
    with pytest.raises(InvalidInputError, match="serial"):
        await desk.devices.bind(shown["code"], by="cli", guesser="cli")


@pytest.mark.parametrize(
    "mangle",
    [
        lambda token: "",
        lambda token: "anything",
        lambda token: token[:-1],
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.replace("dev_", "ent_"),
        lambda token: token + "\n",
        lambda token: "dev_" + "0" * 32 + token[36:],
    ],
)
async def test_what_is_no_token_opens_nothing(desk: Desk, box: Box, mangle) -> None:
    token, _ = await desk.bind(box)
    assert await desk.devices.verify(mangle(token), box.mac, box.client) == Refused(Refusal.TOKEN_UNKNOWN)


async def test_identities_that_cannot_be_kept_are_refused(desk: Desk, box: Box) -> None:
    for mac, client in (("", box.client), ("no mac", box.client), (box.mac, ""), (box.mac, "a b"), (box.mac, "x" * 65)):
        assert await desk.devices.verify("", mac, client) == Refused(Refusal.BAD_IDENTITY)
    for odd in (replace(identity_of(box), board="a\x1bb"), replace(identity_of(box), hardware=box.mac.upper() + "X")):
        assert await desk.devices.announce(odd, "192.0.2.1") == Refused(Refusal.BAD_IDENTITY)


# -- the end of access ----------------------------------------------------------------------------------------------


async def test_a_revoked_token_is_refused_at_once_and_its_device_gets_no_other(desk: Desk, box: Box) -> None:
    token, record = await desk.bind(box)
    await desk.devices.revoke(record.id, by="cli")
    assert await desk.devices.verify(token, box.mac, box.client) == Refused(Refusal.REVOKED)
    answer = await desk.boot(box)
    assert answer["websocket"]["token"] == ""
    assert "activation" not in answer
    assert await desk.poll(box) == 403


async def test_a_device_cannot_ask_to_be_bound_again_past_its_revocation(desk: Desk, box: Box) -> None:
    _, record = await desk.bind(box)
    erased = replace(box, client="erased")
    shown = (await desk.boot(erased))["activation"]
    await desk.devices.revoke(record.id, by="cli")
    with pytest.raises(InvalidInputError):
        await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert "activation" not in await desk.boot(erased)


async def test_an_expired_token_is_refused_and_ends_an_open_connection(desk: Desk, box: Box) -> None:
    devices = Devices(desk.database, desk.clock, rules=AdmissionRules(token_life_s=3_600.0))
    shown = (await desk.boot(box))["activation"]
    await devices.bind(shown["code"], by="cli", guesser="cli")
    given = await devices.announce(identity_of(box), "192.0.2.1")
    assert isinstance(given, Admitted)
    opened = await devices.verify(given.token, box.mac, box.client)
    assert isinstance(opened, Admitted)
    ended: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()
    devices.watch(opened, ended.set_result)
    desk.clock.now_s += 3_599
    assert isinstance(await devices.verify(given.token, box.mac, box.client), Admitted)
    desk.clock.now_s += 1
    assert await devices.verify(given.token, box.mac, box.client) == Refused(Refusal.TOKEN_EXPIRED)
    running = asyncio.create_task(devices.run())
    assert await asyncio.wait_for(ended, 2.0) is Refusal.TOKEN_EXPIRED
    running.cancel()


@pytest.mark.parametrize(("end", "poll_s"), [("revoke", device_watch.POLL_S), ("forget", 0.05)])
async def test_ending_access_in_another_process_ends_an_open_connection_within_two_seconds(
    desk: Desk, box: Box, end: str, poll_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_watch, "POLL_S", poll_s)
    token, record = await desk.bind(box)
    opened = await desk.devices.verify(token, box.mac, box.client)
    assert isinstance(opened, Admitted)
    ended: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()
    desk.devices.watch(opened, ended.set_result)
    running = asyncio.create_task(desk.devices.run())
    await asyncio.sleep(0.02)
    await getattr(Devices(desk.database, desk.clock), end)(record.id, by="cli")
    assert await asyncio.wait_for(ended, 2.0) is Refusal.REVOKED
    running.cancel()


async def test_binding_again_ends_the_connection_of_the_old_pins(desk: Desk, box: Box) -> None:
    token, _ = await desk.bind(box)
    opened = await desk.devices.verify(token, box.mac, box.client)
    assert isinstance(opened, Admitted)
    ended: list[Refusal] = []
    desk.devices.watch(opened, ended.append)
    running = asyncio.create_task(desk.devices.run())
    await asyncio.sleep(0.02)
    shown = (await desk.boot(replace(box, client="erased")))["activation"]
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    await asyncio.sleep(0.1)
    assert ended == [Refusal.REVOKED]
    running.cancel()


# -- guessing and flooding ------------------------------------------------------------------------------------------


async def test_codes_cannot_be_guessed(desk: Desk, box: Box) -> None:
    shown = (await desk.boot(box))["activation"]
    for _ in range(MAX_WRONG_CODES):
        with pytest.raises(InvalidInputError):
            await desk.devices.bind(await wrong_code(desk), by="cli", guesser="thief")
    with pytest.raises(OverloadedError):
        await desk.devices.bind(shown["code"], by="cli", guesser="thief")
    assert (await desk.devices.bind(shown["code"], by="cli", guesser="owner")).hardware == box.mac


async def test_many_guessers_together_guess_no_more(desk: Desk, box: Box) -> None:
    shown = (await desk.boot(box))["activation"]
    for number in range(MAX_WRONG_CODES_OF_ALL):
        with pytest.raises(InvalidInputError):
            await desk.devices.bind(await wrong_code(desk), by="cli", guesser=str(number))
    with pytest.raises(OverloadedError):
        await desk.devices.bind(shown["code"], by="cli", guesser="one more")
    desk.clock.now_s += WRONG_CODES_S + 1
    shown = (await desk.boot(box))["activation"]
    assert (await desk.devices.bind(shown["code"], by="cli", guesser="one more")).hardware == box.mac


async def test_guesses_at_the_same_time_count_each(desk: Desk, box: Box) -> None:
    await desk.boot(box)
    wrong = await wrong_code(desk)
    tries = [desk.devices.bind(wrong, by="cli", guesser="thief") for _ in range(50)]
    errors = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, InvalidInputError) for each in errors) == MAX_WRONG_CODES
    assert sum(isinstance(each, OverloadedError) for each in errors) == 50 - MAX_WRONG_CODES


async def test_unbound_devices_of_one_address_are_counted(desk: Desk, box: Box) -> None:
    boxes = [replace(box, mac=f"02:11:22:33:44:0{number}") for number in range(6)]
    answers = [await desk.boot(each) for each in boxes]
    assert ["activation" in each for each in answers] == [True] * 4 + [False] * 2
    assert "activation" in await desk.boot(boxes[0])
    assert isinstance(await desk.devices.announce(identity_of(boxes[5]), "198.51.100.7"), Unbound)
    desk.clock.now_s += 601
    assert "activation" in await desk.boot(boxes[5])


async def test_a_flood_of_strangers_is_turned_away_and_bound_devices_are_not(
    desk: Desk, box: Box, ota_settings: OtaSettings
) -> None:
    token, _ = await desk.bind(box)
    statuses = []
    for number in range(ota_settings.strangers_burst + 10):
        stranger = replace(box, mac=f"02:11:22:33:55:{number:02x}")
        url = desk.url("/xiaozhi/ota/")
        async with desk.client.post(url, json=stranger.report, headers=stranger.headers) as answer:
            statuses.append(answer.status)
    assert statuses[0] == 200
    assert statuses[-1] == 429
    for _ in range(40):
        assert (await desk.boot(box))["websocket"]["token"] == token
    desk.clock.now_s += 120
    for _ in range(40):
        assert (await desk.boot(box))["websocket"]["token"] not in ("", token)


async def test_polling_for_activation_is_bounded(desk: Desk, box: Box) -> None:
    await desk.boot(box)
    statuses = [await desk.poll(box) for _ in range(60)]
    assert statuses[:20] == [202] * 20
    assert statuses[-1] == 429


async def test_a_household_has_one_quota_for_all_its_ipv6_addresses() -> None:
    assert quota_address("2001:db8:1:2::1") == quota_address("2001:db8:1:2:ffff::2") == "2001:db8:1:2::/64"
    assert quota_address("::ffff:192.0.2.1") == quota_address("192.0.2.1") == "192.0.2.1"
    assert quota_address(None) == ""


def identity_of(box: Box) -> DeviceIdentity:
    return DeviceIdentity(box.mac, box.client, box.serial, board=box.board, firmware=box.version, language="en-US")
