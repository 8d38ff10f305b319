"""Errors of the HTTP API in OpenAI's JSON shape."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from entendre.core.errors import EntendreError, OverloadedError, ThrottledError

log = logging.getLogger(__name__)


class Fault(Exception):
    """A request that cannot be served; becomes the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = headers


def route_of(request: web.Request) -> str:
    """The route for the log: a path as it was asked for may hold a token, as that of a reply does."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical


def invalid(message: str, param: str | None = None, code: str = "invalid_value") -> Fault:
    """A fault of the client's making: status 400."""
    return Fault(400, code, message, param)


STATUSES: dict[str, int] = {
    "invalid_input": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "timeout": 408,
    "already_exists": 409,
    "conflict": 409,
    "offline": 409,
    "precondition_failed": 412,
    "too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "throttled": 429,
    "overloaded": 429,
    "not_ready": 503,
    "store_failed": 503,
    "no_answer": 504,
}
"""The status of every code that has one of its own."""


def fault_of(error: EntendreError) -> Fault:
    """An error of a lower room as an answer."""
    headers: dict[str, str] | None = None
    match error:
        case ThrottledError():
            headers = {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
        case OverloadedError():
            headers = {"Retry-After": "1"}
    status = STATUSES.get(error.code, 503 if error.retryable else 500)
    return Fault(status, error.code, error.public_message, headers=headers)


def error_json(code: str, message: str, param: str | None = None, status: int = 400) -> dict[str, Any]:
    """The body of an error."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def answer_of(fault: Fault) -> web.Response:
    """A fault as a response. An upload that was not read to its end must not be taken for the next request."""
    body = json.dumps(error_json(fault.code, fault.message, fault.param, fault.status))
    response = web.Response(status=fault.status, text=body, content_type="application/json", headers=fault.headers)
    if fault.status in (403, 408, 413) or fault.code == "invalid_body":
        response.force_close()
    return response


_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 408: "timeout", 413: "request_too_large"}


@web.middleware
async def faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The web boundary: whatever goes wrong becomes one clear answer, and only this request suffers."""
    try:
        return await handler(request)
    except Fault as fault:
        return answer_of(fault)
    except EntendreError as error:
        log.info("request failed", extra={"route": route_of(request), "code": error.code})
        return answer_of(fault_of(error))
    except web.HTTPException as refused:
        if refused.status < 400:
            raise
        allowed = refused.headers.get(hdrs.ALLOW)
        code = _HTTP_CODES.get(refused.status, "http_error")
        headers = {"Allow": allowed} if allowed else None
        return answer_of(Fault(refused.status, code, f"{refused.reason}.", headers=headers))
    except TimeoutError:
        return answer_of(Fault(408, "timeout", "The request took too long."))
    except web.RequestPayloadError:
        return answer_of(Fault(400, "invalid_body", "The body cannot be read."))
    except ConnectionError:
        raise
    except Exception:
        log.exception("request failed", extra={"route": route_of(request)})
        return answer_of(Fault(500, "internal", "Something went wrong."))
