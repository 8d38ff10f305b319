"""The rules of admission, each within one transaction: who gets a code, who a token, who nothing.

A binding pins the client id and the serial number. Whoever comes with other ones is a stranger who may ask to be bound
again: a person has to type the code that the device shows. Source: xiaozhi.md 1.3 and 5.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from entendre.core.device import (
    Admission,
    Admitted,
    DeviceIdentity,
    DeviceRecord,
    Proof,
    Refusal,
    Refused,
    Unbound,
)
from entendre.store import device_tokens as tokens
from entendre.store.device_rows import DeviceRows, PendingRow

CODE_DIGITS = 6
CODE_LIFE_S = 600.0
FRESH_CODE_S = 60.0
"""A code with less life than this is replaced when the device asks again: nobody could type it in time."""
ATTEST_LIFE_S = 120.0
PASSED_LIFE_S = 20.0
"""How long after its proof a device may fetch another token, once and from the same address. Firmware asks at once, and
with nothing that only it could know: that is all that this request can be tied to."""
CHALLENGE_BYTES = 32
MAX_WAITING = 10_000
"""Devices that wait to be bound, over all addresses: 1 in 90 codes at most is ever taken."""


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """What an operator may choose. `token_life_s`: None lets a token last until its successor is used."""

    unbound_per_address: int = 16
    token_life_s: float | None = None


def announce(rows: DeviceRows, identity: DeviceIdentity, address: str, rules: AdmissionRules) -> Admission:
    """A device presents itself at boot."""
    rows.drop_expired()
    record = rows.of_hardware(identity.kind, identity.hardware)
    if record is not None and record.revoked_at_s is not None:
        return Refused(Refusal.REVOKED)
    if record is None or not pins_fit(record, identity):
        return _ask_to_be_bound(rows, identity, address, rules)
    rows.seen(record.id, identity.firmware, identity.board)
    if rows.key_of(record.serial) is not None and not _has_just_proven(rows, identity, address):
        return _ask_for_proof(rows, identity, address, record)
    return tokens.mint(rows, record, rules.token_life_s)


def activate(
    rows: DeviceRows, identity: DeviceIdentity, proof: Proof | None, address: str, rules: AdmissionRules
) -> Admission:
    """A device asks whether it was bound, or proves its key."""
    row = rows.pending_of(identity.kind, identity.hardware, identity.client)
    if row is None:
        return _nothing_pending(rows, identity, proof)
    told = (proof.serial or None) if proof is not None else None  # some clients say their serial number only here
    if identity.serial not in (None, row.serial) or (row.serial is not None and told not in (None, row.serial)):
        return Refused(Refusal.IDENTITY_MISMATCH)
    if proof is not None and (row.challenge is None or not _same(proof.challenge, row.challenge)):
        return Refused(Refusal.CHALLENGE_USED)
    key = rows.key_of(row.serial or told)
    if key is not None and (proof is None or not _proves(key, proof)):
        return Refused(Refusal.WRONG_PROOF)
    if row.device is None:
        if key is not None and row.proven_at_s is None:
            rows.set_pending(row.id, proven_at_s=rows.now_s)
        return Unbound(row.code or "", row.challenge or "", row.expires_at_s)
    rows.set_pending(row.id, address=address)  # whoever proved it may fetch another token, nobody elsewhere
    return _pass(rows, row, rules, proven=key is not None)


def verify(rows: DeviceRows, token: str, hardware: str, client: str, kind: str) -> tokens.TokenUse | Admission:
    """A device opens a connection; one that waits to be bound may hear its code.

    One that still has to prove its key is kept waiting, if it shows the token that came with its challenge: xiaozhi-sdk
    connects first and proves then.
    """
    found = tokens.check(rows, token, hardware, client)
    if not isinstance(found, Refused) or found.reason is Refusal.IDENTITY_MISMATCH:
        return found
    row = rows.pending_of(kind, hardware, client)
    if row is None:
        return found
    if row.code is not None:
        return Unbound(row.code, "", row.expires_at_s)
    drafted = (
        row.token is not None and row.token_hash is not None and tokens.is_drafted(token, row.token, row.token_hash)
    )
    return Unbound("", "", row.expires_at_s) if drafted else found


def pins_fit(record: DeviceRecord, identity: DeviceIdentity) -> bool:
    """Whether a device is the one that was bound, as far as it says."""
    return (record.client, record.serial) == (identity.client, identity.serial)


def is_bound(rows: DeviceRows, identity: DeviceIdentity) -> bool:
    """Whether a device says to be one that was bound."""
    record = rows.of_hardware(identity.kind, identity.hardware)
    return record is not None and record.revoked_at_s is None and pins_fit(record, identity)


def _ask_to_be_bound(rows: DeviceRows, identity: DeviceIdentity, address: str, rules: AdmissionRules) -> Admission:
    """A code to show, and a fresh challenge."""
    row = rows.pending_of(identity.kind, identity.hardware, identity.client)
    fresh = _fresh()
    if row is not None and row.code and row.serial == identity.serial and _lasts(rows, row):
        rows.set_pending(row.id, firmware=identity.firmware, language=identity.language, **fresh.columns)
        return Unbound(row.code, fresh.challenge, row.expires_at_s, fresh.token.text)
    another = row is None or row.code is None
    if another and rows.count_waiting(address) >= rules.unbound_per_address:
        return Refused(Refusal.TOO_MANY_UNBOUND)
    if another and rows.count_waiting() >= MAX_WAITING:
        return Refused(Refusal.TOO_MANY_UNBOUND)
    code, expires_at_s = _free_code(rows), rows.now_s + CODE_LIFE_S
    rows.put_pending(identity, address, code=code, expires_at_s=expires_at_s, **fresh.columns)
    return Unbound(code, fresh.challenge, expires_at_s, fresh.token.text)


def _ask_for_proof(rows: DeviceRows, identity: DeviceIdentity, address: str, record: DeviceRecord) -> Unbound:
    """A challenge without a code: a bound device proves its enrolled key before its token counts."""
    fresh, expires_at_s = _fresh(), rows.now_s + ATTEST_LIFE_S
    rows.put_pending(identity, address, device=record.id, expires_at_s=expires_at_s, **fresh.columns)
    return Unbound("", fresh.challenge, expires_at_s, fresh.token.text)


def _has_just_proven(rows: DeviceRows, identity: DeviceIdentity, address: str) -> bool:
    """Whether this device, at this address, answered its challenge a moment ago; good for one token."""
    row = rows.pending_of(identity.kind, identity.hardware, identity.client)
    if row is None or row.passed_at_s is None:
        return False
    rows.drop_pending(row.id)
    return row.address == address and rows.now_s - row.passed_at_s <= PASSED_LIFE_S


def _pass(rows: DeviceRows, row: PendingRow, rules: AdmissionRules, *, proven: bool) -> Admission:
    """The device was bound: its challenge is used up, and the token that came with that challenge counts from now on.

    Firmware asks for another token; xiaozhi-sdk goes on with this one. A token handed out with any other challenge
    never counts, so whoever asked in between has nothing.
    """
    record = rows.device(row.device or "")
    if record is None or record.revoked_at_s is not None:
        return Refused(Refusal.REVOKED)
    if row.token is not None and row.token_hash is not None:
        tokens.keep(rows, record, row.token, row.token_hash, rules.token_life_s)
    if proven:
        rows.set_pending(row.id, challenge=None, token=None, token_hash=None, passed_at_s=rows.now_s)
        rows.note_attested(record.id)
    else:
        rows.drop_pending(row.id)
    return Admitted(record)


def _nothing_pending(rows: DeviceRows, identity: DeviceIdentity, proof: Proof | None) -> Admission:
    """Answers that carry nothing: a bound device without a serial may ask twice, a proof counts once."""
    record = rows.of_hardware(identity.kind, identity.hardware)
    if record is None or not pins_fit(record, identity):
        return Refused(Refusal.UNKNOWN_DEVICE)
    if record.revoked_at_s is not None:
        return Refused(Refusal.REVOKED)
    return Admitted(record) if proof is None else Refused(Refusal.CHALLENGE_USED)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A challenge, and the token that counts once it is answered."""

    challenge: str
    token: tokens.TokenDraft

    @property
    def columns(self) -> dict[str, str | bytes]:
        return {"challenge": self.challenge, "token": self.token.id, "token_hash": self.token.secret_hash}


def _fresh() -> _Fresh:
    return _Fresh(secrets.token_hex(CHALLENGE_BYTES), tokens.draft())


def _lasts(rows: DeviceRows, row: PendingRow) -> bool:
    return row.expires_at_s - rows.now_s > FRESH_CODE_S


def _free_code(rows: DeviceRows) -> str:
    while True:
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        if rows.code_is_free(code):
            return code


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _proves(key: bytes, proof: Proof) -> bool:
    expected = hmac.new(key, proof.challenge.encode(), hashlib.sha256).hexdigest()
    return _same(expected, proof.digest.lower())
