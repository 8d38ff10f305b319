"""Whose home a request is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import aiohttp
import pytest
from engines import make_site

from entendre.core.clock import Clock
from entendre.core.roles import Place
from entendre.fleet.access import Principal
from entendre.gateways.realtime.gateway import RealtimeGateway
from entendre.ports import KeyRecord
from entendre.ports.homes import Homes, StoredHome
from entendre.session.api import DeviceLink, DeviceProfile
from entendre.system import SystemClock
from entendre.web.api.services import ApiServices
from entendre.web.services import MediaRequest, SpokenNotice
from entendre.web.standing import may_stay, standing_of

KEYS = {
    "ent_operator": KeyRecord("k1", "operator", 0.0),
    "ent_brand": KeyRecord("k2", "brand", 0.0, brand="b1", role="admin"),
}
PEOPLE = {"enta_anna": "anna", "enta_ben": "ben", "enta_cleo": "cleo"}
PLACES: dict[str, dict[str, Place]] = {"anna": {"a": "owner"}, "ben": {"a": "child", "b": "guest"}, "cleo": {}}
DEVICES = {"entd_speaker": "speaker", "entd_boxed": "boxed"}
HOMES = {"speaker": "b"}


class TwoHomes:
    """Households a and b."""

    async def household_of(self, device: str) -> str | None:
        return HOMES.get(device)

    async def places_of(self, account: str) -> Mapping[str, Place]:
        return PLACES[account]

    async def home(self, household: str) -> StoredHome | None:
        return StoredHome(household) if household in ("home", "a", "b") else None


async def verify_key(key: str) -> KeyRecord | None:
    return KEYS.get(key)


async def person(token: str) -> Principal | None:
    return Principal("person", PEOPLE[token]) if token in PEOPLE else None


async def device(token: str) -> Principal | None:
    return Principal("device", DEVICES[token], brand="b1") if token in DEVICES else None


class Heard(Exception):
    """Ends a connection once it is known as what it came."""


class Factory:
    """Notes what connections are opened as."""

    def __init__(self) -> None:
        self.opened: list[DeviceProfile] = []

    def open(self, profile: DeviceProfile, link: DeviceLink) -> Any:
        self.opened.append(profile)
        raise Heard


def services(require_key: bool, **more: Any) -> dict[str, Any]:
    api = ApiServices(
        clock=cast(Clock, SystemClock()), region="home", verify_key=verify_key, person_login=person, device_login=device
    )
    return {
        "verify_key": verify_key,
        "require_key": require_key,
        "homes": cast(Homes, TwoHomes()),
        "api": api,
    } | more


async def asked(token: str | None, household: str | None = None, *, require_key: bool = True) -> Any:
    """The household that a question is about, or the code it was refused with."""
    site = await make_site(**services(require_key))
    body = {"text": "what time is it"} | ({} if household is None else {"household": household})
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with site.client.post(f"{site.address}/v1/ask", json=body, headers=headers) as answer:
            if answer.status != 200:
                return answer.status, (await answer.json())["error"]["code"]
            return site.questions[0].household
    finally:
        await site.close()


@pytest.mark.parametrize(
    ("token", "household", "found"),
    [
        ("ent_operator", None, "home"),
        ("ent_operator", "b", "b"),
        ("ent_operator", "c", (404, "not_found")),
        ("ent_brand", None, (403, "forbidden")),
        ("ent_brand", "a", (403, "forbidden")),
        ("enta_anna", None, "a"),
        ("enta_anna", "a", "a"),
        ("enta_anna", "b", (404, "not_found")),
        ("enta_anna", "home", (404, "not_found")),
        ("enta_ben", None, (400, "missing_required_parameter")),
        ("enta_ben", "b", "b"),
        ("enta_cleo", None, (403, "forbidden")),
        ("enta_nobody", None, (401, "unauthorized")),
        ("entd_speaker", None, "b"),
        ("entd_speaker", "a", (400, "invalid_value")),
        ("entd_boxed", None, (403, "forbidden")),
        ("entd_nobody", None, (401, "unauthorized")),
    ],
)
async def test_credentials_say_whose_home_a_question_is_about(token: str, household: str | None, found: Any) -> None:
    assert await asked(token, household) == found


async def test_without_keys_everybody_here_is_the_operator_but_tokens_are_never_just_any_key() -> None:
    assert await asked(None, require_key=False) == "home"
    assert await asked("sk-anything", "a", require_key=False) == "a"
    assert await asked("enta_nobody", require_key=False) == (401, "unauthorized")
    assert await asked("enta_anna", "b", require_key=False) == (404, "not_found")


async def test_announcements_and_media_are_for_the_same_home() -> None:
    notices: list[SpokenNotice] = []
    wanted: list[MediaRequest] = []

    async def announce(notice: SpokenNotice) -> list[tuple[str, str | None]]:
        notices.append(notice)
        return [("d", None)]

    async def control(request: MediaRequest) -> list[tuple[str, str | None]]:
        wanted.append(request)
        return [("d", None)]

    site = await make_site(**services(True, announce=announce, control_media=control))
    headers = {"Authorization": "Bearer enta_anna"}
    await site.client.post(f"{site.address}/v1/announcements", json={"text": "dinner"}, headers=headers)
    await site.client.post(f"{site.address}/v1/media", json={"command": "stop"}, headers=headers)
    body = {"text": "dinner", "household": "b"}
    async with site.client.post(f"{site.address}/v1/announcements", json=body, headers=headers) as refused:
        assert refused.status == 404
    async with site.client.get(f"{site.address}/v1/devices", headers=headers) as refused:
        assert refused.status == 403
    await site.close()
    assert [each.household for each in notices] == ["a"]
    assert [each.household for each in wanted] == ["a"]


async def connected_as(token: str, query: str = "") -> Any:
    """The profile that a realtime connection opens its conversation with, or the status it was refused with."""
    factory = Factory()
    site = await make_site(
        **services(True, realtime=RealtimeGateway(factory, may_stay=may_stay, standing_of=standing_of))
    )
    url = f"ws://127.0.0.1:{site.port}/v1/realtime?device=kitchen{query}"
    try:
        async with site.client.ws_connect(url, headers={"Authorization": f"Bearer {token}"}) as socket:
            await socket.receive(timeout=5)
            await socket.receive(timeout=5)
        return factory.opened[0]
    except aiohttp.WSServerHandshakeError as error:
        return error.status
    finally:
        await site.close()


async def test_a_realtime_connection_speaks_for_its_credentials() -> None:
    operator = await connected_as("ent_operator")
    assert (operator.device, operator.proven, operator.household) == ("kitchen", False, None)
    assert (await connected_as("ent_operator", "&household=b")).household == "b"
    anna = await connected_as("enta_anna")
    assert (anna.device, anna.proven, anna.household, anna.account) == ("kitchen", False, "a", "anna")
    speaker = await connected_as("entd_speaker")
    assert (speaker.device, speaker.proven, speaker.household) == ("speaker", True, None)
    assert await connected_as("enta_anna", "&household=b") == 404
    assert await connected_as("ent_brand") == 403
