"""The parts of a device: its copy of the twin, its queue, its commands, its files, and what it may install."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from entendre.clients.device.commands import INTERRUPTED, Command, CommandAnswer, CommandBook
from entendre.clients.device.files import read_private, write_private
from entendre.clients.device.identity import KeyIdentity, device_key
from entendre.clients.device.telemetry import TelemetryQueue
from entendre.clients.device.twin import DesiredCopy, difference, merged
from entendre.clients.device.updates import NotSignedError, verified
from entendre.core.errors import InvalidInputError
from entendre.fleet import enrolment
from entendre.fleet.releases import Manifest, ManifestArtifact, hash_of_notes, manifest_text, signed_message

leaves = st.one_of(st.integers(-3, 3), st.booleans(), st.text("ab", max_size=2))
documents = st.recursive(
    st.dictionaries(st.sampled_from("abc"), leaves, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(leaves, inner), max_size=3),
    max_leaves=8,
)
patches = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), leaves), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), leaves, inner), max_size=3),
    max_leaves=8,
)


@given(documents, documents)
def test_a_difference_makes_one_document_the_other(before: dict, after: dict) -> None:
    assert merged(before, difference(before, after)) == after
    assert difference(after, after) == {}


@given(st.lists(patches, max_size=6), st.lists(st.integers(0, 20), max_size=30))
def test_a_twin_converges_whatever_is_lost_repeated_or_overtaken(changes: list[dict], order: list[int]) -> None:
    states: list[dict] = [{}]
    for patch in changes:
        states.append(merged(states[-1], patch))
    copy = DesiredCopy()
    copy.read({}, 0)
    for step in order:
        at = step % len(states)
        if at and copy.patched(changes[at - 1], at) == "read_again":
            copy.read(states[at], at)
        assert copy.document == states[copy.version]
    copy.read(states[-1], len(changes))
    assert (copy.document, copy.version) == (states[-1], len(changes))


def test_telemetry_stays_until_it_is_acknowledged() -> None:
    queue = TelemetryQueue(max_messages=3)
    readings = [queue.add({"n": each}, at_s=float(each)) for each in range(4)]
    assert [each.body["n"] for each in queue.batch()] == [1, 2, 3]
    assert queue.dropped == 1
    assert [each.body["n"] for each in queue.batch(max_messages=2)] == [1, 2]
    queue.acknowledged([readings[1].id, readings[2].id, "unknown"])
    assert queue.batch() == [readings[3]]


def test_telemetry_is_bounded_by_its_size_too() -> None:
    queue = TelemetryQueue(max_bytes=10_000)
    for _ in range(10):
        queue.add({"text": "x" * 3_000})
    assert (len(queue), queue.dropped) == (3, 7)
    assert len(queue.batch(max_bytes=1)) == 1
    queue.add({"text": "x" * 20_000})
    assert len(queue) == 1


async def test_a_command_is_done_once(tmp_path: Path) -> None:
    done: list[str] = []
    book = CommandBook(tmp_path / "commands.json")

    async def beep(command: Command) -> dict[str, int]:
        done.append(command.id)
        return {"times": command.payload["times"]}

    book.on("beep", beep)
    once = await book.answer(Command("c1", "beep", {"times": 2}))
    assert once == CommandAnswer(200, {"times": 2})
    assert await book.answer(Command("c1", "beep", {"times": 2})) == once
    again = CommandBook(tmp_path / "commands.json")
    again.on("beep", beep)
    assert await again.answer(Command("c1", "beep", {"times": 2})) == once
    assert done == ["c1"]
    unknown = await book.answer(Command("c2", "dance", None))
    assert unknown is not None and unknown.status == 404


async def test_a_command_that_fails_is_answered_without_what_it_said() -> None:
    book = CommandBook()

    async def fail(command: Command) -> None:
        raise RuntimeError("the secret word")

    book.on("fail", fail)
    assert await book.answer(Command("c", "fail", None)) == CommandAnswer(500, {"error": "RuntimeError"})


async def test_the_same_command_twice_at_once_is_done_once() -> None:
    book, started, may_end = CommandBook(), asyncio.Event(), asyncio.Event()

    async def slow(command: Command) -> None:
        started.set()
        await may_end.wait()

    book.on("slow", slow)
    first = asyncio.create_task(book.answer(Command("c", "slow", None)))
    await started.wait()
    assert await book.answer(Command("c", "slow", None)) is None
    may_end.set()
    assert await first == CommandAnswer(200)


async def test_a_command_that_a_power_cut_ended_is_not_done_again(tmp_path: Path) -> None:
    file = tmp_path / "commands.json"

    async def cut(command: Command) -> None:
        raise asyncio.CancelledError

    book = CommandBook(file)
    book.on("open", cut)
    with pytest.raises(asyncio.CancelledError):
        await book.answer(Command("c", "open", None))
    answer = await CommandBook(file).answer(Command("c", "open", None))
    assert answer is not None and answer.status == INTERRUPTED


def test_private_files_are_whole_and_private(tmp_path: Path) -> None:
    file = tmp_path / "inner" / "token.json"
    assert read_private(file, dict[str, str]) is None
    os.umask(os.umask(0o022))
    write_private(file, {"token": "a"})
    write_private(file, {"token": "b"})
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_private(file, dict[str, str]) == {"token": "b"}
    assert [each.name for each in file.parent.iterdir()] == ["token.json"]
    file.chmod(0o644)
    with pytest.raises(InvalidInputError, match="chmod 600"):
        read_private(file, dict[str, str])
    file.chmod(0o600)
    file.write_bytes(b"{")
    with pytest.raises(InvalidInputError) as caught:
        read_private(file, dict[str, str])
    assert "damaged" in caught.value.public_message


def test_a_key_proves_what_the_server_expects() -> None:
    group_key = bytes(range(32))
    identity = KeyIdentity("g1", "SN-1", device_key(group_key, "SN-1"))
    proof = base64.b64decode(identity.proof("challenge")["proof"])
    assert enrolment.proves(group_key, "g1", "SN-1", "challenge", proof)
    assert not enrolment.proves(group_key, "g1", "SN-2", "challenge", proof)


def test_only_what_the_maker_signed_is_installed() -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    artifact = ManifestArtifact(name="app", sha256="0" * 64, size_bytes=5, board="esp-box-3")
    text = manifest_text(
        Manifest(
            product="box",
            kind="firmware",
            number="1.2.0",
            channel="stable",
            artifacts=(artifact,),
            notes_sha256=hash_of_notes(""),
        )
    )
    signature = key.sign(signed_message(text))
    public, stranger = key.public_key().public_bytes_raw(), other.public_key().public_bytes_raw()
    manifest = verified(text, signature, [stranger, public])
    assert manifest.file_for("esp-box-3").size_bytes == 5
    with pytest.raises(InvalidInputError):
        manifest.file_for("other")
    for wrong in [
        (text, signature, [stranger]),
        (f"{text} ", signature, [public]),
        (text, b"x", [public]),
        (text, signature, []),
    ]:
        with pytest.raises(NotSignedError):
            verified(*wrong)
    with pytest.raises(NotSignedError):
        verified(text, key.sign(text.encode()), [public])
