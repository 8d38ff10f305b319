"""Errors of the API as exceptions: what the server answered, with its stable code."""

from __future__ import annotations

import msgspec

from entendre.core import errors as core

MAX_MESSAGE_CHARS = 2_000


class ApiError(core.EntendreError):
    """The server refused. `status`: of HTTP. `param`: the field that is wrong. `retry_after_s`: when to ask again."""

    def __init__(
        self,
        public_message: str,
        *,
        code: str,
        status: int,
        param: str | None = None,
        retry_after_s: float | None = None,
        detail: str = "",
    ) -> None:
        core.EntendreError.__init__(self, public_message, detail=detail)
        self.__dict__["code"] = code
        self.status = status
        self.param = param
        self.retry_after_s = retry_after_s


class ApiInvalidError(ApiError, core.InvalidInputError):
    """What was asked is malformed."""


class ApiUnauthorizedError(ApiError, core.UnauthorizedError):
    """No key or token, or one that does not fit."""


class ApiForbiddenError(ApiError, core.ForbiddenError):
    """The key or the person may not do this."""


class ApiNotFoundError(ApiError, core.NotFoundError):
    """There is no such thing, or none that this key may know of."""


class ApiExistsError(ApiError, core.AlreadyExistsError):
    """Something of this name or serial number exists."""


class ApiConflictError(ApiError, core.ConflictError):
    """It is in a state that does not allow this, or somebody else changed it at the same time."""


class ApiStaleError(ApiError, core.StaleError):
    """`if_match` names a version that is no longer the current one."""


class ApiTooLargeError(ApiError, core.TooLargeError):
    """A document or a queue is past its limit."""


class ApiOfflineError(ApiError, core.OfflineError):
    """The device is not connected."""


class ApiNoAnswerError(ApiError, core.NoAnswerError):
    """The device was reached and did not answer in time."""


class ApiThrottledError(ApiError, core.OverloadedError):
    """Asked too often; `retry_after_s` says when to ask again."""


class ServerFailedError(ApiError, core.StoreError):
    """The server could not do it now; asking again may help."""


class NotReachedError(core.EntendreError):
    """No server answered at this address, or it went away while it answered."""

    code = "connection_failed"
    retryable = True


class BadAnswerError(core.EntendreError):
    """What answered is no server of this kind, or a much newer one."""

    code = "bad_answer"


BY_CODE: dict[str, type[ApiError]] = {
    "already_exists": ApiExistsError,
    "offline": ApiOfflineError,
    "no_answer": ApiNoAnswerError,
}
BY_STATUS: dict[int, type[ApiError]] = {
    400: ApiInvalidError,
    401: ApiUnauthorizedError,
    403: ApiForbiddenError,
    404: ApiNotFoundError,
    409: ApiConflictError,
    412: ApiStaleError,
    413: ApiTooLargeError,
    415: ApiInvalidError,
    422: ApiInvalidError,
    428: ApiStaleError,
    429: ApiThrottledError,
}


class _Refusal(msgspec.Struct):
    message: str = ""
    code: str | None = None
    param: str | None = None


class _Envelope(msgspec.Struct):
    error: _Refusal


class _OAuthRefusal(msgspec.Struct):
    error: str
    error_description: str = ""


def error_of(status: int, body: bytes, retry_after_s: float | None = None) -> ApiError:
    """An answer of 400 or more as the error to raise; also where it came from something else, such as a proxy."""
    refusal = _refusal(status, body)
    code = refusal.code or f"http_{status}"
    kind = BY_CODE.get(code) or BY_STATUS.get(status) or (ServerFailedError if status >= 500 else ApiError)
    message = refusal.message[:MAX_MESSAGE_CHARS] or f"The server answered {status}."
    return kind(message, code=code, status=status, param=refusal.param, retry_after_s=retry_after_s)


def _refusal(status: int, body: bytes) -> _Refusal:
    try:
        return msgspec.json.decode(body, type=_Envelope).error
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        refusal = msgspec.json.decode(body, type=_OAuthRefusal)
        return _Refusal(refusal.error_description or refusal.error, refusal.error)
    except (msgspec.DecodeError, RecursionError):
        return _Refusal()
