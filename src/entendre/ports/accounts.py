"""Accounts: people who can sign in, and the tokens that they and their programs are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """A person. `login` is a mail address in lower case, or a name. A disabled one can't sign in."""

    id: str
    login: str
    display_name: str
    language: str | None
    country: str | None
    created_at_s: float
    disabled_at_s: float | None
    version: int


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be. Without a password nobody can sign in until the operator sets one."""

    login: str
    display_name: str
    password: str | None = None
    language: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """What to change of an account; None stays as it is, an empty `language` or `country` clears it."""

    display_name: str | None = None
    language: str | None = None
    country: str | None = None
    disabled: bool | None = None


class Accounts(Protocol):
    """The accounts of a region. `by` names who did it, for the audit log."""

    async def create(self, new: NewAccount, *, by: str) -> AccountRecord:
        """Make an account. Raises: InvalidInputError, AlreadyExistsError, MissingExtraError."""
        ...

    async def accounts(self, *, after: str = "", limit: int = 50) -> tuple[AccountRecord, ...]:
        """Accounts by id."""
        ...

    async def account(self, named: str) -> AccountRecord:
        """An account by id or login. Raises: NotFoundError."""
        ...

    async def named(self, named: str) -> str | None:
        """The id of an account by id or login; None if there is none."""
        ...

    async def change(
        self, account: str, changes: AccountChanges, *, by: str, version: int | None = None
    ) -> AccountRecord:
        """Change an account; disabling it ends its tokens. Raises: NotFoundError, InvalidInputError, StaleError."""
        ...

    async def set_password(self, account: str, password: str, *, by: str) -> None:
        """Set a password and end every token. Raises: NotFoundError, InvalidInputError, MissingExtraError."""
        ...

    async def change_password(self, account: str, old: str, new: str, *, address: str) -> None:
        """As `set_password`, by who knows the old one. Raises: UnauthorizedError, ThrottledError too."""
        ...

    async def authenticate(self, login: str, password: str, *, address: str) -> AccountRecord:
        """Who signs in, in the same time whether the login is known or not.

        Raises: UnauthorizedError, ThrottledError, OverloadedError, MissingExtraError.
        """
        ...


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A program that people may give access to. It keeps no secret: PKCE proves that it is itself."""

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    created_at_s: float
    created_by: str


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a program without a browser is told: it polls with one code, and shows or says the other (RFC 8628)."""

    device_code: str
    user_code: str
    expires_in_s: float
    interval_s: float


@dataclass(frozen=True, slots=True)
class Asking:
    """Who waits behind a user code."""

    client: OAuthClient
    address: str
    created_at_s: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a program gets: an access token, and the refresh token that gets it the next pair, once."""

    access_token: str
    refresh_token: str
    expires_in_s: float
    scope: str


@dataclass(frozen=True, slots=True)
class AccessLogin:
    """Whom an access token stands for, and which program holds it."""

    account: str
    client: str
    scope: str


Refused = Literal[
    "invalid_grant", "authorization_pending", "slow_down", "access_denied", "expired_token", "invalid_client"
]
"""Why no tokens are given, as OAuth names it. Source: RFC 6749 section 5.2, RFC 8628 section 3.5."""


class Grants(Protocol):
    """Sign-ins of programs: OAuth 2.1 with PKCE, and the device flow."""

    async def client(self, id: str) -> OAuthClient | None:
        """A program that is registered or built in; None for an unknown one."""
        ...

    async def clients(self, *, after: str = "", limit: int = 50) -> tuple[OAuthClient, ...]:
        """Registered programs, by id."""
        ...

    async def register(self, name: str, redirect_uris: tuple[str, ...], *, by: str) -> OAuthClient:
        """Register a program. Raises: InvalidInputError."""
        ...

    async def unregister(self, id: str, *, by: str) -> None:
        """Remove a program and end its tokens. Raises: NotFoundError."""
        ...

    async def ask(self, client: str, scope: str, *, address: str) -> DeviceCode:
        """A program without a browser wants in. Raises: ThrottledError when too many of an address wait."""
        ...

    async def asking(self, user_code: str, *, address: str) -> Asking:
        """Who waits behind a code. Raises: NotFoundError, ThrottledError once `address` has guessed too often."""
        ...

    async def decide(self, user_code: str, account: str | None, *, address: str) -> None:
        """Let the program in as an account, or refuse it (None). Raises: as `asking`."""
        ...

    async def poll(self, client: str, device_code: str) -> Tokens | Refused:
        """The tokens, once somebody let the program in."""
        ...

    async def grant(self, client: str, account: str, redirect_uri: str, challenge: str, scope: str) -> str:
        """A code for a program whose person signed in. `challenge`: PKCE S256."""
        ...

    async def redeem(self, client: str, code: str, redirect_uri: str, verifier: str) -> Tokens | Refused:
        """The tokens for a code, once; a code that comes twice ends what came of it."""
        ...

    async def refresh(self, client: str, refresh_token: str) -> Tokens | Refused:
        """The next pair; a refresh token that comes twice ends all that came of its sign-in."""
        ...

    async def revoke(self, client: str, token: str) -> None:
        """End a token and all that came of its sign-in; unknown ones are none of ours."""
        ...

    async def login(self, token: str) -> AccessLogin | None:
        """Whom an access token stands for; None for one that is unknown, ended or of a disabled account."""
        ...

    async def end_all(self, account: str) -> None:
        """End every token of an account."""
        ...
