"""Accounts, passwords and OAuth, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from entendre.core.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    StaleError,
    ThrottledError,
    UnauthorizedError,
)
from entendre.ports.accounts import AccountChanges, NewAccount, Tokens
from entendre.store import audit
from entendre.store.database import Database
from entendre.store.people import accounts as accounts_module
from entendre.store.people import oauth
from entendre.store.people import oauth as oauth_module
from entendre.store.people.accounts import AccountStore
from entendre.store.people.oauth import GrantStore, challenge_of
from entendre.store.people.oauth_rows import ACCESS_LIFE_S, REFRESH_LIFE_S

PASSWORD = "correct horse battery"
HERE, THERE = "192.0.2.1", "192.0.2.2"
VERIFIER = "v" * 43
RETURN = "https://app.example.org/back"


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def accounts(database: Database, clock: HandClock) -> AccountStore:
    return AccountStore(database, clock, "home")


@pytest.fixture
def grants(database: Database, clock: HandClock) -> GrantStore:
    return GrantStore(database, clock, "home")


async def make(accounts: AccountStore, login: str = "anna@example.org") -> str:
    return (await accounts.create(NewAccount(login, "Anna", PASSWORD), by="operator")).id


async def test_a_person_signs_in(accounts: AccountStore) -> None:
    made = await accounts.create(NewAccount(" Anna@Example.ORG ", "Anna", PASSWORD, "de", "de"), by="operator")
    assert (made.login, made.language, made.country) == ("anna@example.org", "de", "DE")
    found = await accounts.authenticate("ANNA@example.org", PASSWORD, address=HERE)
    assert found.id == made.id
    for login, password in (("anna@example.org", "wrong"), ("nobody", PASSWORD), ("anna@example.org", "")):
        with pytest.raises(UnauthorizedError):
            await accounts.authenticate(login, password, address=HERE)
    with pytest.raises(AlreadyExistsError):
        await accounts.create(NewAccount("ANNA@example.org", "Other", PASSWORD), by="operator")


async def test_a_password_is_kept_as_an_argon2id_hash_alone(
    accounts: AccountStore, database: Database, usual_hasher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argon2.PasswordHasher", usual_hasher)
    await make(accounts)
    sql = "SELECT password_hash FROM accounts"
    kept = (await database.read(lambda connection: connection.execute(sql).fetchone()))[0]
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), "64 MiB and three rounds for every guess"
    assert PASSWORD not in kept


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
async def test_passwords_are_bounded(accounts: AccountStore, password: str) -> None:
    with pytest.raises(InvalidInputError):
        await accounts.create(NewAccount("anna", "Anna", password), by="operator")


@pytest.mark.parametrize("login", ["", "ab", "a b c", "x" * 255, "a\tb"])
async def test_logins_are_checked(accounts: AccountStore, login: str) -> None:
    with pytest.raises(InvalidInputError):
        await accounts.create(NewAccount(login, "Anna"), by="operator")


async def test_the_many_addresses_of_one_network_are_one_guesser(accounts: AccountStore) -> None:
    await make(accounts)
    for each in range(5):
        with pytest.raises(UnauthorizedError):
            await accounts.authenticate("anna@example.org", "wrong", address=f"2001:db8::{each}")
    with pytest.raises(ThrottledError):
        await accounts.authenticate("anna@example.org", PASSWORD, address="2001:db8::99")
    await accounts.authenticate("anna@example.org", PASSWORD, address="2001:db8:0:1::99")


async def test_the_many_addresses_of_one_network_guess_codes_as_one(grants: GrantStore) -> None:
    for each in range(10):
        with pytest.raises(NotFoundError):
            await grants.asking(f"{each:09}", address=f"2001:db8::{each}")
    with pytest.raises(ThrottledError):
        await grants.asking("123456789", address="2001:db8::99")


async def test_one_network_does_not_use_up_the_codes_of_everybody(
    accounts: AccountStore, grants: GrantStore, clock: HandClock
) -> None:
    codes = [
        await grants.ask("entendre-cli", "account", address=f"2001:db8::{each}")
        for each in range(oauth_module.MAX_WAITING_OF_ADDRESS)
    ]
    with pytest.raises(ThrottledError) as full:
        await grants.ask("entendre-cli", "account", address="2001:db8::99")
    await grants.ask("entendre-cli", "account", address="2001:db8:0:1::99")
    await grants.decide(codes[0].user_code, await make(accounts), address=HERE)
    await grants.ask("entendre-cli", "account", address="2001:db8::99")
    clock.now_s += full.value.retry_after_s
    await grants.ask("entendre-cli", "account", address="2001:db8::98")


async def test_who_guesses_is_stopped_and_others_are_not(accounts: AccountStore, clock: HandClock) -> None:
    await make(accounts)
    for _ in range(accounts_module.GUESSES_OF_ADDRESS_AT_LOGIN):
        with pytest.raises(UnauthorizedError):
            await accounts.authenticate("anna@example.org", "wrong", address=HERE)
    with pytest.raises(ThrottledError) as stopped:
        await accounts.authenticate("anna@example.org", PASSWORD, address=HERE)
    await accounts.authenticate("anna@example.org", PASSWORD, address=THERE)
    clock.now_s += stopped.value.retry_after_s
    await accounts.authenticate("anna@example.org", PASSWORD, address=HERE)


async def test_right_passwords_use_nothing_up(accounts: AccountStore) -> None:
    await make(accounts)
    for _ in range(2 * accounts_module.GUESSES_OF_ADDRESS_AT_LOGIN):
        await accounts.authenticate("anna@example.org", PASSWORD, address=HERE)


async def test_an_account_is_changed_and_disabled(
    accounts: AccountStore, grants: GrantStore, database: Database
) -> None:
    anna = await make(accounts)
    changed = await accounts.change(anna, AccountChanges("Ann", country="FR"), by="operator", version=1)
    assert (changed.display_name, changed.country, changed.version) == ("Ann", "FR", 2)
    with pytest.raises(StaleError):
        await accounts.change(anna, AccountChanges("Old"), by="operator", version=1)
    assert (await accounts.change(anna, AccountChanges(country=""), by="operator")).country is None
    tokens = await signed_in(grants, anna)
    disabled = await accounts.change(anna, AccountChanges(disabled=True), by="operator")
    assert disabled.disabled_at_s is not None
    assert await GrantStore(database, HandClock(), "home").login(tokens.access_token) is None
    with pytest.raises(UnauthorizedError):
        await accounts.authenticate("anna@example.org", PASSWORD, address=HERE)
    assert (await accounts.change(anna, AccountChanges(disabled=False), by="operator")).disabled_at_s is None
    await accounts.authenticate("anna@example.org", PASSWORD, address=HERE)
    assert await database.read(lambda connection: audit.first_broken(connection, "home")) is None


async def test_a_new_password_ends_every_token(accounts: AccountStore, grants: GrantStore, clock: HandClock) -> None:
    anna = await make(accounts)
    tokens = await signed_in(grants, anna)
    with pytest.raises(UnauthorizedError):
        await accounts.change_password(anna, "wrong", "another password", address=HERE)
    await accounts.change_password(anna, PASSWORD, "another password", address=HERE)
    await accounts.authenticate("anna@example.org", "another password", address=HERE)
    assert await grants.login(tokens.access_token) is None
    assert await grants.refresh("entendre-cli", tokens.refresh_token) == "invalid_grant"


async def signed_in(grants: GrantStore, account: str) -> Tokens:
    code = await grants.grant("entendre-cli", account, RETURN, challenge_of(VERIFIER), "account")
    tokens = await grants.redeem("entendre-cli", code, RETURN, VERIFIER)
    assert isinstance(tokens, Tokens)
    return tokens


async def test_a_code_is_good_once_for_who_asked(accounts: AccountStore, grants: GrantStore, clock: HandClock) -> None:
    anna = await make(accounts)
    code = await grants.grant("entendre-cli", anna, RETURN, challenge_of(VERIFIER), "account")
    for client, given, back, verifier in (
        ("other", code, RETURN, VERIFIER),
        ("entendre-cli", "wrong", RETURN, VERIFIER),
        ("entendre-cli", code, RETURN + "/", VERIFIER),
        ("entendre-cli", code, RETURN, "w" * 43),
    ):
        assert await grants.redeem(client, given, back, verifier) == "invalid_grant"
    tokens = await grants.redeem("entendre-cli", code, RETURN, VERIFIER)
    assert isinstance(tokens, Tokens)
    login = await grants.login(tokens.access_token)
    assert login is not None
    assert (login.account, login.client) == (anna, "entendre-cli")
    assert await grants.redeem("entendre-cli", code, RETURN, VERIFIER) == "invalid_grant"
    clock.now_s += oauth.TRUST_S
    assert await grants.login(tokens.access_token) is None
    late = await grants.grant("entendre-cli", anna, RETURN, challenge_of(VERIFIER), "account")
    clock.now_s += oauth.CODE_LIFE_S
    assert await grants.redeem("entendre-cli", late, RETURN, VERIFIER) == "invalid_grant"


async def test_a_refresh_token_that_comes_twice_ends_its_family(
    accounts: AccountStore, grants: GrantStore, clock: HandClock
) -> None:
    anna = await make(accounts)
    other = await signed_in(grants, anna)
    first = await signed_in(grants, anna)
    assert await grants.refresh("other", first.refresh_token) == "invalid_grant"
    assert await grants.refresh("entendre-cli", first.access_token) == "invalid_grant"
    second = await grants.refresh("entendre-cli", first.refresh_token)
    assert isinstance(second, Tokens)
    assert await grants.login(second.access_token) is not None
    assert await grants.refresh("entendre-cli", first.refresh_token) == "invalid_grant"
    assert await grants.login(second.access_token) is None
    assert await grants.refresh("entendre-cli", second.refresh_token) == "invalid_grant"
    assert await grants.login(other.access_token) is not None


async def test_tokens_live_as_long_as_they_say(accounts: AccountStore, grants: GrantStore, clock: HandClock) -> None:
    tokens = await signed_in(grants, await make(accounts))
    clock.now_s += ACCESS_LIFE_S
    assert await grants.login(tokens.access_token) is None
    clock.now_s += REFRESH_LIFE_S - ACCESS_LIFE_S
    assert await grants.refresh("entendre-cli", tokens.refresh_token) == "invalid_grant"


async def test_tokens_are_revoked_by_their_program(accounts: AccountStore, grants: GrantStore) -> None:
    tokens = await signed_in(grants, await make(accounts))
    await grants.revoke("other", tokens.refresh_token)
    assert await grants.login(tokens.access_token) is not None
    await grants.revoke("entendre-cli", "entr_nonsense")
    await grants.revoke("entendre-cli", tokens.refresh_token)
    assert await grants.login(tokens.access_token) is None


async def test_secrets_are_not_kept(accounts: AccountStore, grants: GrantStore, database: Database) -> None:
    tokens = await signed_in(grants, await make(accounts))
    asked = await grants.ask("entendre-cli", "account", address=HERE)

    def rows(connection: Any) -> str:
        found = [connection.execute(f"SELECT * FROM {name}").fetchall() for name in ("oauth_tokens", "oauth_grants")]
        return str(found)

    kept = await database.read(rows)
    for secret in (tokens.access_token, tokens.refresh_token, asked.device_code):
        assert secret not in kept
        assert secret[-43:] not in kept


async def test_a_device_is_let_in(accounts: AccountStore, grants: GrantStore, clock: HandClock) -> None:
    anna = await make(accounts)
    asked = await grants.ask("entendre-cli", "account", address=THERE)
    assert (len(asked.user_code), asked.user_code.replace("-", "").isdecimal()) == (11, True)
    assert await grants.poll("entendre-cli", asked.device_code) == "authorization_pending"
    clock.now_s += 1.0
    assert await grants.poll("entendre-cli", asked.device_code) == "slow_down"
    clock.now_s += 6.0
    assert await grants.poll("entendre-cli", asked.device_code) == "slow_down"
    asking = await grants.asking(asked.user_code.replace("-", " "), address=HERE)
    assert (asking.client.id, asking.address) == ("entendre-cli", THERE)
    await grants.decide(asked.user_code, anna, address=HERE)
    with pytest.raises(NotFoundError):
        await grants.decide(asked.user_code, anna, address=HERE)
    clock.now_s += 30.0
    assert await grants.poll("other", asked.device_code) == "invalid_grant"
    tokens = await grants.poll("entendre-cli", asked.device_code)
    assert isinstance(tokens, Tokens)
    assert await grants.login(tokens.access_token) is not None
    assert await grants.poll("entendre-cli", asked.device_code) == "invalid_grant"


async def test_a_device_is_refused_or_too_late(accounts: AccountStore, grants: GrantStore, clock: HandClock) -> None:
    anna = await make(accounts)
    refused = await grants.ask("entendre-cli", "account", address=THERE)
    await grants.decide(refused.user_code, None, address=HERE)
    assert await grants.poll("entendre-cli", refused.device_code) == "access_denied"
    late = await grants.ask("entendre-cli", "account", address=THERE)
    clock.now_s += oauth.DEVICE_CODE_LIFE_S
    assert await grants.poll("entendre-cli", late.device_code) == "expired_token"
    with pytest.raises(NotFoundError):
        await grants.decide(late.user_code, anna, address=HERE)


async def test_user_codes_can_not_be_tried_out(grants: GrantStore, clock: HandClock) -> None:
    asked = await grants.ask("entendre-cli", "account", address=THERE)
    for guess in range(oauth.WRONG_CODES):
        with pytest.raises(NotFoundError):
            await grants.asking(f"{guess:09}", address=HERE)
    with pytest.raises(ThrottledError):
        await grants.asking(asked.user_code, address=HERE)
    await grants.asking(asked.user_code, address=THERE)
    clock.now_s += oauth.WRONG_CODES_RECOVERY_S
    await grants.asking(asked.user_code, address=HERE)


async def test_one_code_is_not_looked_at_without_end(grants: GrantStore) -> None:
    asked = await grants.ask("entendre-cli", "account", address=THERE)
    for number in range(oauth.DECISIONS_AT_CODE):
        await grants.asking(asked.user_code, address=f"198.51.100.{number}")
    with pytest.raises(ThrottledError):
        await grants.asking(asked.user_code, address="203.0.113.1")


async def test_one_address_can_not_use_up_the_codes(grants: GrantStore, clock: HandClock) -> None:
    for _ in range(oauth.MAX_WAITING_OF_ADDRESS):
        await grants.ask("entendre-cli", "account", address=THERE)
    with pytest.raises(ThrottledError):
        await grants.ask("entendre-cli", "account", address=THERE)
    await grants.ask("entendre-cli", "account", address=HERE)
    clock.now_s += oauth.DEVICE_CODE_LIFE_S + 1.0
    await grants.ask("entendre-cli", "account", address=THERE)


async def test_programs_are_registered_and_removed(accounts: AccountStore, grants: GrantStore) -> None:
    made = await grants.register("App", (RETURN, "com.example.app:/back"), by="operator")
    assert await grants.client(made.id) == made
    assert await grants.clients() == (made,)
    for uri in ("http://app.example.org/", "javascript:alert(1)", "https://app.example.org/#x", "https://", "back"):
        with pytest.raises(InvalidInputError):
            await grants.register("App", (uri,), by="operator")
    anna = await make(accounts)
    code = await grants.grant(made.id, anna, RETURN, challenge_of(VERIFIER), "account")
    tokens = await grants.redeem(made.id, code, RETURN, VERIFIER)
    assert isinstance(tokens, Tokens)
    await grants.unregister(made.id, by="operator")
    assert await grants.login(tokens.access_token) is None
    assert await grants.client(made.id) is None
    with pytest.raises(NotFoundError):
        await grants.unregister(made.id, by="operator")
