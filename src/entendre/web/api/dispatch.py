"""From a request to an operation's answer: limits, caller, input, the handler, and answers that are kept."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from entendre.core.errors import EntendreError
from entendre.core.quotas import quota_address
from entendre.ports.requests import Whose
from entendre.web.api.addresses import address_of
from entendre.web.api.authorise import permitted_path, principal_of
from entendre.web.api.call import Call, Reply
from entendre.web.api.decoding import body_of, idempotency_key_of, if_match_of, path_of, query_of
from entendre.web.api.operation import JSON, Operation
from entendre.web.api.services import API, ApiServices
from entendre.web.faults import Fault, answer_of, fault_of

_NOT_FINAL = frozenset({401, 403, 408, 429})
"""Refusals that are not kept for an Idempotency-Key: the same request may do better later."""


def handler_of(operation: Operation) -> Handler:
    """What aiohttp calls for an operation."""

    async def handle(request: web.Request) -> web.StreamResponse:
        services = request.app[API]
        call, data = await _call_of(request, operation, services)
        if call.idempotency_key is None:
            return _response(request, operation, await operation.handler(call))
        return await _once(operation, call, data)

    return handle


async def _call_of(request: web.Request, operation: Operation, services: ApiServices) -> tuple[Call, bytes]:
    address = address_of(request, services.trusted_proxies)
    if services.rates is not None:
        services.rates.take(f"address {quota_address(address)}")
    path = path_of(request)
    who = await principal_of(request, services)
    if services.rates is not None and who.kind not in ("nobody", "operator"):
        services.rates.take(who.actor)
    path = await permitted_path(who, operation.permission, path, services)
    query = query_of(request, operation.query)
    body, data = await body_of(request, operation)
    changes = operation.etag and request.method not in (hdrs.METH_GET, hdrs.METH_HEAD)
    return Call(
        request=request,
        principal=who,
        services=services,
        path=path,
        body=body,
        query=query,
        if_match=if_match_of(request) if changes else None,
        idempotency_key=idempotency_key_of(request) if operation.idempotent else None,
        address=address,
    ), data


async def _once(operation: Operation, call: Call, data: bytes) -> web.StreamResponse:
    """Carry a request with an Idempotency-Key out once, however often it is sent."""
    answered, request = call.services.requests, call.request
    if answered is None:
        return _response(request, operation, await operation.handler(call))
    id = _hash(call.principal.actor, request.method, operation.path, call.idempotency_key).hex()
    request_hash = _hash(request.raw_path, data.hex())
    known = await answered.begin(id, request_hash, _whose(call))
    if known is not None:
        if known.request_hash != request_hash:
            raise Fault(409, "conflict", "This Idempotency-Key was used for another request.")
        if known.status is None:
            raise Fault(409, "conflict", "The first request is under way. Try again.", headers={"Retry-After": "1"})
        return _json(known.status, known.body or "", {})
    try:
        response, final = await _answer(operation, call)
    except BaseException:
        await answered.forget(id)
        raise
    if final:
        await answered.finish(id, response.status, response.text or "")
    else:
        await answered.forget(id)
    return response


def _whose(call: Call) -> Whose:
    who = call.principal
    account, device = (who.id if who.kind == kind else None for kind in ("person", "device"))
    return Whose(call.path.get("household"), account, device or call.path.get("device"))


async def _answer(operation: Operation, call: Call) -> tuple[web.Response, bool]:
    """The answer, and whether it is final: what may do better when it is sent again is not kept."""
    try:
        response = _response(call.request, operation, await operation.handler(call))
    except Fault as fault:
        return answer_of(fault), fault.status < 500 and fault.status not in _NOT_FINAL
    except EntendreError as error:
        answer = fault_of(error)
        return answer_of(answer), not error.retryable and answer.status < 500 and answer.status not in _NOT_FINAL
    if not isinstance(response, web.Response):
        raise TypeError(f"{operation.name} streams its answer, so that it can't be kept")
    return response, True


def _response(request: web.Request, operation: Operation, reply: Reply | web.StreamResponse) -> web.StreamResponse:
    if not isinstance(reply, Reply):
        return reply
    headers = dict(reply.headers)
    if reply.etag is not None:
        headers[hdrs.ETAG] = f'"{reply.etag}"'
        reads = request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        if reads and request.headers.get(hdrs.IF_NONE_MATCH, "").strip() in (headers[hdrs.ETAG], "*"):
            return web.Response(status=304, headers=headers)
    status = reply.status or operation.success
    return _json(status, "" if reply.body is None else encoded(reply.body), headers)


def _json(status: int, body: str, headers: dict[str, str]) -> web.Response:
    headers = {"Cache-Control": "no-store", **headers}
    if not body:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, text=body, content_type=JSON, headers=headers)


def encoded(document: Any) -> str:
    """A body as JSON."""
    return msgspec.json.encode(document).decode()


def _hash(*parts: str | None) -> bytes:
    return hashlib.sha256(msgspec.json.encode(parts)).digest()
