"""Signing a person in as a program does: a short code, typed on any page, and tokens that renew themselves.

Source: RFC 8628 (device flow), RFC 6749 section 6 (refresh), RFC 7009 (revocation).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from entendre.clients.api.errors import ApiError, NotReachedError
from entendre.clients.api.transport import ROOT, Request, Transport
from entendre.core.errors import EntendreError

T = TypeVar("T")
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CLIENT_ID = "entendre-cli"
"""What the command line is called at every server."""
DEVICE_PATH = f"{ROOT}/oauth/device_authorization"
TOKEN_PATH = f"{ROOT}/oauth/token"
REVOKE_PATH = f"{ROOT}/oauth/revoke"
SLOWER_S = 5.0
"""What `slow_down` adds to the pause. Source: RFC 8628, section 3.5."""
MAX_PAUSE_S = 60.0


class SignInError(EntendreError):
    """A person did not sign in: too late, or they said no."""

    code = "sign_in_failed"


class DeviceCode(msgspec.Struct, frozen=True):
    """What a person is shown, and what the program asks with."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    verification_uri_complete: str = ""
    interval: float = 5.0


class Tokens(msgspec.Struct, frozen=True):
    """What a person's program holds. `expires_in`: seconds, of the access token."""

    access_token: str
    expires_in: float = 3600.0
    refresh_token: str = ""
    scope: str = ""


class OAuth:
    """A program's sign-in at one server. `client_id`: what it is called there; one that is registered may change it."""

    def __init__(self, transport: Transport, client_id: str = CLIENT_ID) -> None:
        self._transport = transport
        self.client_id = client_id

    async def begin(self, scope: str = "") -> DeviceCode:
        """Ask for a code. Raises: ApiError, NotReachedError."""
        return await self._post(DEVICE_PATH, DeviceCode, {"scope": scope} if scope else {})

    async def wait(self, code: DeviceCode) -> Tokens:
        """Wait until a person typed it. Raises: SignInError, ApiError."""
        pause_s = code.interval
        ends_at = time.monotonic() + code.expires_in
        while time.monotonic() + pause_s < ends_at:
            await asyncio.sleep(pause_s)
            try:
                given = {"grant_type": DEVICE_GRANT, "device_code": code.device_code}
                return await self._post(TOKEN_PATH, Tokens, given)
            except NotReachedError:
                pause_s = min(MAX_PAUSE_S, 2 * pause_s)
            except ApiError as error:
                pause_s = _pause_after(error, pause_s)
        raise SignInError("Nobody typed the code in time.")

    async def renew(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token, which is over then. Raises: ApiError."""
        given = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._post(TOKEN_PATH, Tokens, given)

    async def revoke(self, token: str) -> None:
        """End a token and all that came of the same sign-in. Raises: ApiError."""
        await self._post(REVOKE_PATH, None, {"token": token})

    async def _post(self, path: str, reply: type[T] | None, given: Mapping[str, str]) -> T:
        body = urlencode({"client_id": self.client_id, **given}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return (await self._transport.ask(Request("POST", path, {}, body, headers, False), reply)).value


def _pause_after(error: ApiError, pause_s: float) -> float:
    """How long to wait before asking again. Raises: SignInError, ApiError."""
    match error.code:
        case "authorization_pending":
            return pause_s
        case "slow_down":
            return min(MAX_PAUSE_S, pause_s + SLOWER_S)
        case "access_denied":
            raise SignInError("The sign-in was refused.") from error
        case "expired_token":
            raise SignInError("Nobody typed the code in time.") from error
    if error.retryable:
        return min(MAX_PAUSE_S, max(pause_s, error.retry_after_s or 0.0))
    raise error
