"""Webhooks: addresses that hear of a brand's changes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from entendre.fleet import webhooks as rules
from entendre.fleet.access import Permission
from entendre.ports.webhooks import WebhookChanges, WebhookRecord
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed

TAG = "webhooks"
_ALL, _ONE = "/brands/{brand}/webhooks", "/brands/{brand}/webhooks/{webhook}"

Url = Annotated[str, Meta(min_length=1, max_length=rules.MAX_URL_CHARS, description="Begins with https://.")]
Topics = Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=rules.MAX_TOPICS)]


class Webhook(Struct):
    """A webhook. No topics are all; `last_status` is 0 where nobody answered; `failures` in a row disable it."""

    id: str
    url: str
    topics: tuple[str, ...]
    enabled: bool
    delivered_seq: int
    failures: int
    last_status: int | None
    created_at_s: float
    created_by: str


class NewWebhook(Struct, forbid_unknown_fields=True):
    """A webhook to make."""

    url: Url
    topics: Topics = ()


class WebhookPatch(Struct, forbid_unknown_fields=True):
    """What to change. `enabled` begins anew after failures."""

    url: Url | None = None
    topics: Topics | None = None
    enabled: bool | None = None


class WebhookSecret(Struct):
    """A webhook and the secret that signs its deliveries, which is shown this once."""

    webhook: Webhook
    secret: str


class WebhookTest(Struct):
    """What a test was answered with; 0 where nobody answered."""

    status: int


async def _create(call: Call) -> Reply:
    service, body = needed(call.services.webhooks), call.body
    record, secret = await service.create(call.path["brand"], body.url, body.topics, by=call.principal.actor)
    return Reply(WebhookSecret(_shown(record), secret), etag=str(record.version))


async def _list(call: Call) -> Reply:
    service, query = needed(call.services.webhooks), call.query
    after = after_of(query.after, str)
    first = after[0] if after is not None else ""
    rows = await service.webhooks(call.path["brand"], after=first, limit=query.limit + 1)
    return Reply(page_of(rows, query.limit, _shown, lambda each: each.id))


async def _get(call: Call) -> Reply:
    record = await needed(call.services.webhooks).get(call.path["brand"], call.path["webhook"])
    return Reply(_shown(record), etag=str(record.version))


async def _change(call: Call) -> Reply:
    service, body = needed(call.services.webhooks), call.body
    changes = WebhookChanges(body.url, body.topics, body.enabled)
    record = await service.change(
        call.path["brand"], call.path["webhook"], changes, by=call.principal.actor, version=version_of(call.if_match)
    )
    return Reply(_shown(record), etag=str(record.version))


async def _remove(call: Call) -> Reply:
    service, path = needed(call.services.webhooks), call.path
    await service.remove(path["brand"], path["webhook"], by=call.principal.actor, version=version_of(call.if_match))
    return Reply()


async def _rotate(call: Call) -> Reply:
    service, path = needed(call.services.webhooks), call.path
    record, secret = await service.rotate(path["brand"], path["webhook"], by=call.principal.actor)
    return Reply(WebhookSecret(_shown(record), secret), etag=str(record.version))


async def _test(call: Call) -> Reply:
    service, path = needed(call.services.webhooks), call.path
    return Reply(WebhookTest(await service.test(path["brand"], path["webhook"])))


def _shown(record: WebhookRecord) -> Webhook:
    return Webhook(
        id=record.id,
        url=record.url,
        topics=record.topics,
        enabled=record.enabled,
        delivered_seq=record.delivered_seq,
        failures=record.failures,
        last_status=record.last_status,
        created_at_s=record.created_at_s,
        created_by=record.created_by,
    )


_HOOKS = Permission.BRAND_WEBHOOKS
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path=_ALL,
        name="create_webhook",
        summary="Have an address hear of a brand's changes from now on.",
        tag=TAG,
        permission=_HOOKS,
        handler=_create,
        body=NewWebhook,
        reply=WebhookSecret,
        status=201,
    ),
    Operation(
        method="GET",
        path=_ALL,
        name="list_webhooks",
        summary="Webhooks of a brand.",
        tag=TAG,
        permission=_HOOKS,
        handler=_list,
        query=PageQuery,
        reply=Page[Webhook],
    ),
    Operation(
        method="GET",
        path=_ONE,
        name="get_webhook",
        summary="One webhook, and how its deliveries go.",
        tag=TAG,
        permission=_HOOKS,
        handler=_get,
        reply=Webhook,
        etag=True,
    ),
    Operation(
        method="PATCH",
        path=_ONE,
        name="change_webhook",
        summary="Change a webhook, or enable it again.",
        tag=TAG,
        permission=_HOOKS,
        handler=_change,
        body=WebhookPatch,
        reply=Webhook,
        etag=True,
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        name="remove_webhook",
        summary="Remove a webhook.",
        tag=TAG,
        permission=_HOOKS,
        handler=_remove,
        etag=True,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/secret",
        name="rotate_webhook_secret",
        summary="Give a webhook a new secret; the old one signs nothing more.",
        tag=TAG,
        permission=_HOOKS,
        handler=_rotate,
        reply=WebhookSecret,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/test",
        name="test_webhook",
        summary="Send a webhook an empty delivery now.",
        tag=TAG,
        permission=_HOOKS,
        handler=_test,
        reply=WebhookTest,
    ),
)
