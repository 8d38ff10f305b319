"""Signing in against a real server: the device flow, codes with PKCE, refresh, and what attackers try."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from apisite import ApiSite, serve_makers

from entendre.ports.accounts import NewAccount
from entendre.store.people.oauth import DEVICE_CODE_LIFE_S, MAX_WAITING_OF_ADDRESS, WRONG_CODES
from entendre.web.api.oauth import DEVICE_GRANT

LOGIN, PASSWORD = "anna@example.org", "correct horse battery"
CLIENT = "entendre-cli"
BACK = "http://127.0.0.1:51004/callback"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-1"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
CREDENTIALS = {"login": LOGIN, "password": PASSWORD, "decision": "approve"}


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
async def site(tmp_path: Path, clock: HandClock) -> AsyncIterator[ApiSite]:
    made = await serve_makers(tmp_path, clock=clock)
    assert made.services.accounts is not None
    await made.services.accounts.create(NewAccount(LOGIN, "Anna", PASSWORD), by="operator")
    yield made
    await made.close()


async def page(site: ApiSite, method: str, path: str, fields: Any = None, **headers: str) -> tuple[int, str, Any]:
    """Status, text and headers of a page."""
    url = f"http://127.0.0.1:{site.port}{path}"
    options = {"params": fields} if method == "GET" else {"data": fields}
    async with site.client.request(method, url, allow_redirects=False, headers=headers, **options) as answer:
        return answer.status, await answer.text(), answer.headers


async def form(site: ApiSite, path: str, **fields: str) -> tuple[int, dict[str, Any]]:
    """Status and body of an OAuth endpoint."""
    status, body, _ = await site.ask("POST", f"/oauth/{path}", data=fields)
    return status, body


async def start(site: ApiSite) -> dict[str, Any]:
    status, codes = await form(site, "device_authorization", client_id=CLIENT)
    assert status == 200
    return codes


async def poll(site: ApiSite, codes: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return await form(site, "token", grant_type=DEVICE_GRANT, client_id=CLIENT, device_code=codes["device_code"])


async def test_a_speaker_says_a_code_and_its_person_lets_it_in(site: ApiSite, clock: HandClock) -> None:
    codes = await start(site)
    assert codes["verification_uri"] == f"http://127.0.0.1:{site.port}/device"
    assert codes["verification_uri_complete"].endswith(codes["user_code"])
    assert await poll(site, codes) == (400, {"error": "authorization_pending"})
    assert await poll(site, codes) == (400, {"error": "slow_down"})
    status, text, _ = await page(site, "GET", "/device", {"user_code": codes["user_code"]})
    assert (status, codes["user_code"] in text) == (200, True)
    status, text, _ = await page(site, "POST", "/device", {"user_code": codes["user_code"]})
    assert status == 200
    assert "Entendre on the command line" in text
    assert "127.0.0.1" in text
    wrong = {"user_code": codes["user_code"], **CREDENTIALS, "password": "wrong"}
    assert (await page(site, "POST", "/device", wrong))[0] == 401
    status, text, _ = await page(site, "POST", "/device", {"user_code": codes["user_code"], **CREDENTIALS})
    assert (status, "Connected" in text) == (200, True)
    clock.now_s += 20.0
    status, tokens = await poll(site, codes)
    assert (status, tokens["token_type"], tokens["expires_in"]) == (200, "Bearer", 3600)
    _, me, _ = await site.ask("GET", "/me", token=tokens["access_token"])
    assert me["account"]["login"] == LOGIN
    assert await poll(site, codes) == (400, {"error": "invalid_grant"})


async def test_it_is_refused(site: ApiSite) -> None:
    codes = await start(site)
    status, text, _ = await page(site, "POST", "/device", {"user_code": codes["user_code"], "decision": "deny"})
    assert (status, "Refused" in text) == (200, True)
    assert await poll(site, codes) == (400, {"error": "access_denied"})


async def test_a_code_runs_out(site: ApiSite, clock: HandClock) -> None:
    codes = await start(site)
    clock.now_s += DEVICE_CODE_LIFE_S
    assert await poll(site, codes) == (400, {"error": "expired_token"})
    assert (await page(site, "POST", "/device", {"user_code": codes["user_code"], **CREDENTIALS}))[0] == 404


async def test_codes_can_not_be_tried_out(site: ApiSite) -> None:
    codes = await start(site)
    statuses = [(await page(site, "POST", "/device", {"user_code": f"{n:09}"}))[0] for n in range(WRONG_CODES)]
    assert set(statuses) == {404}
    status, text, _ = await page(site, "POST", "/device", {"user_code": codes["user_code"], **CREDENTIALS})
    assert (status, "Too many attempts" in text) == (429, True)


async def test_one_address_asks_for_so_many_codes(site: ApiSite) -> None:
    for _ in range(MAX_WAITING_OF_ADDRESS):
        await start(site)
    status, body, headers = await site.ask("POST", "/oauth/device_authorization", data={"client_id": CLIENT})
    assert (status, body["error"]["code"]) == (429, "throttled")
    assert int(headers["Retry-After"]) > 0


def asking(**changes: str) -> dict[str, str]:
    given = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "state": "a state & more",
    }
    return {name: value for name, value in (given | changes).items() if value}


async def code_of(site: ApiSite) -> str:
    status, _, headers = await page(site, "POST", "/oauth/authorize", asking() | CREDENTIALS)
    assert status == 303
    back = urlsplit(headers["Location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == BACK
    query = parse_qs(back.query)
    assert query["state"] == ["a state & more"]
    assert query["iss"] == [f"http://127.0.0.1:{site.port}"]
    return query["code"][0]


def redeeming(code: str, **changes: str) -> dict[str, str]:
    given = {"grant_type": "authorization_code", "client_id": CLIENT, "redirect_uri": BACK, "code": code}
    return given | {"code_verifier": VERIFIER} | changes


async def tokens_of(site: ApiSite) -> dict[str, Any]:
    status, tokens = await form(site, "token", **redeeming(await code_of(site)))
    assert status == 200
    return tokens


async def test_an_app_signs_a_person_in(site: ApiSite) -> None:
    status, text, headers = await page(site, "GET", "/oauth/authorize", asking())
    assert status == 200
    assert "Entendre on the command line" in text
    assert "a state &amp; more" in text
    assert "form-action 'self' http://127.0.0.1:51004" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "<script" not in text
    assert (await page(site, "POST", "/oauth/authorize", asking() | CREDENTIALS | {"password": "wrong"}))[0] == 401
    tokens = await tokens_of(site)
    assert (await site.ask("GET", "/me", token=tokens["access_token"]))[0] == 200


async def test_a_code_that_comes_twice_ends_what_came_of_it(site: ApiSite, clock: HandClock) -> None:
    code = await code_of(site)
    _, tokens = await form(site, "token", **redeeming(code))
    assert await form(site, "token", **redeeming(code)) == (400, {"error": "invalid_grant"})
    clock.now_s += 2.0
    assert (await site.ask("GET", "/me", token=tokens["access_token"]))[0] == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": VERIFIER + "x"}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:51005/callback"}, "invalid_grant"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": ""}, "invalid_request"),
        ({"code": "guess"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_stolen_code_is_worth_nothing(site: ApiSite, changes: dict[str, str], error: str) -> None:
    status, body = await form(site, "token", **(redeeming(await code_of(site)) | changes))
    assert (status, body["error"]) == (400, error)


@pytest.mark.parametrize(
    "uri",
    [
        *("https://evil.example/callback", "http://127.0.0.1:51004/other", "http://127.0.0.1.evil.example/callback"),
        *("http://localhost:51004/callback", "http://127.0.0.1:51004/callback#x", "javascript:alert(1)", ""),
    ],
)
async def test_a_browser_is_never_sent_to_a_strange_address(site: ApiSite, uri: str) -> None:
    for method, fields in (("GET", {}), ("POST", CREDENTIALS), ("POST", {"decision": "deny"})):
        status, _, headers = await page(site, method, "/oauth/authorize", asking(redirect_uri=uri) | fields)
        assert (status, "Location" in headers) == (400, False)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "everything"}, "invalid_scope"),
    ],
)
async def test_a_program_that_asks_wrongly_is_told(site: ApiSite, changes: dict[str, str], error: str) -> None:
    status, _, headers = await page(site, "GET", "/oauth/authorize", asking(**changes))
    assert status == 303
    assert parse_qs(urlsplit(headers["Location"]).query)["error"] == [error]


async def test_a_person_says_no(site: ApiSite) -> None:
    _, _, headers = await page(site, "POST", "/oauth/authorize", asking() | {"decision": "deny"})
    assert parse_qs(urlsplit(headers["Location"]).query)["error"] == ["access_denied"]


async def test_refresh_rotates_and_a_second_use_ends_the_family(site: ApiSite, clock: HandClock) -> None:
    first = await tokens_of(site)
    given = {"grant_type": "refresh_token", "client_id": CLIENT}
    status, second = await form(site, "token", **given, refresh_token=first["refresh_token"])
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert (await site.ask("GET", "/me", token=second["access_token"]))[0] == 200
    assert (await form(site, "token", **given, refresh_token=first["refresh_token"]))[0] == 400
    assert (await form(site, "token", **given, refresh_token=second["refresh_token"]))[0] == 400
    clock.now_s += 2.0
    assert (await site.ask("GET", "/me", token=second["access_token"]))[0] == 401


async def test_a_program_signs_out(site: ApiSite, clock: HandClock) -> None:
    tokens = await tokens_of(site)
    assert await form(site, "revoke", client_id=CLIENT, token=tokens["refresh_token"]) == (200, {})
    clock.now_s += 2.0
    assert (await site.ask("GET", "/me", token=tokens["access_token"]))[0] == 401
    assert await form(site, "revoke", client_id=CLIENT, token="unknown") == (200, {})


async def test_an_app_that_is_signed_in_lets_a_speaker_in(site: ApiSite, clock: HandClock) -> None:
    token, codes = (await tokens_of(site))["access_token"], await start(site)
    path = f"/me/device-codes/{codes['user_code']}"
    _, shown, _ = await site.ask("GET", path, token=token)
    assert (shown["client"], shown["address"]) == ("Entendre on the command line", "127.0.0.1")
    assert (await site.ask("POST", path, {"approve": True}, token=token))[0] == 204
    assert (await poll(site, codes))[0] == 200
    assert (await site.ask("POST", path, {"approve": True}, token=token))[0] == 404


async def test_people_change_themselves_and_sign_out_everywhere(site: ApiSite, clock: HandClock) -> None:
    token = (await tokens_of(site))["access_token"]
    status, changed, headers = await site.ask("PATCH", "/me", {"country": "de"}, token=token)
    assert (status, changed["country"], headers["ETag"]) == (200, "DE", '"2"')
    assert (await site.ask("PATCH", "/me", {"disabled": True}, token=token))[0] == 400
    body = {"old": "wrong", "new": "another password"}
    assert (await site.ask("POST", "/me/password", body, token=token))[0] == 403
    assert (await site.ask("POST", "/me/password", body | {"old": PASSWORD}, token=token))[0] == 204
    clock.now_s += 2.0
    assert (await site.ask("GET", "/me", token=token))[0] == 401
    token = (await form_of_new_password(site))["access_token"]
    assert (await site.ask("DELETE", "/me/sessions", token=token))[0] == 204
    assert (await site.ask("GET", "/me", token=token))[0] == 401


async def form_of_new_password(site: ApiSite) -> dict[str, Any]:
    fields = asking() | CREDENTIALS | {"password": "another password"}
    _, _, headers = await page(site, "POST", "/oauth/authorize", fields)
    code = parse_qs(urlsplit(headers["Location"]).query)["code"][0]
    return (await form(site, "token", **redeeming(code)))[1]


async def test_sign_up_is_closed_unless_it_is_opened(site: ApiSite) -> None:
    body = {"login": "ben", "display_name": "Ben", "password": PASSWORD}
    assert (await site.ask("POST", "/accounts", body))[0] == 401
    site.services.sign_up = "open"
    assert (await site.ask("POST", "/accounts", {"login": "ben", "display_name": "Ben"}))[0] == 400
    assert (await site.ask("POST", "/accounts", body))[0] == 201
    statuses = [(await site.ask("POST", "/accounts", body | {"login": f"ben{n}"}))[0] for n in range(6)]
    assert statuses[-1] == 429


async def test_where_everything_is(site: ApiSite) -> None:
    site.services.public_url = "https://voice.example.org/"
    _, text, _ = await page(site, "GET", "/.well-known/oauth-authorization-server")
    assert '"issuer": "https://voice.example.org"' in text
    assert '"token_endpoint": "https://voice.example.org/api/v1/oauth/token"' in text


@pytest.mark.parametrize(
    "data", ["client_id=a&client_id=b", "client_id=%00", "x" * 20_000, "client_id=" + "a" * 600, "client_id=%ff"]
)
async def test_strange_forms_are_refused(site: ApiSite, data: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, body, _ = await site.ask("POST", "/oauth/token", data=data, headers=headers)
    assert status in (400, 413)
    assert "error" in body


async def test_pages_escape_what_they_are_given_and_speak_the_language_asked_for(site: ApiSite) -> None:
    _, text, _ = await page(site, "GET", "/device", {"user_code": '"><script>x</script>'})
    assert "<script" not in text
    _, text, _ = await page(site, "GET", "/device", {}, **{"Accept-Language": "fr, de-AT;q=0.8, en;q=0.5"})
    assert re.search('<html lang="de">.*<h1>Gerät verbinden</h1>', text, re.DOTALL)
    _, text, _ = await page(site, "GET", "/device", {"lang": "tl-PH"}, **{"Accept-Language": "de"})
    assert re.search('<html lang="fil">.*<h1>Ikonekta ang device</h1>', text, re.DOTALL)
    assert 'action="/device?lang=fil"' in text


async def test_our_own_program_and_the_time_of_its_request_are_told_in_the_language(
    site: ApiSite, clock: HandClock
) -> None:
    code = {"user_code": (await start(site))["user_code"]}
    _, text, _ = await page(site, "POST", "/device?lang=es", code)
    assert "Entendre en la línea de comandos quiere actuar" in text
    assert "acaba de llegar de 127.0.0.1" in text
    clock.now_s += 120.0
    _, text, _ = await page(site, "POST", "/device?lang=es", code)
    assert "hace 2 min" in text
