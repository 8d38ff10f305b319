"""The client of a server's API (docs/client.md)."""

from entendre.clients.api.client import Entendre
from entendre.clients.api.downloads import CorruptedError
from entendre.clients.api.errors import (
    ApiConflictError,
    ApiError,
    ApiExistsError,
    ApiForbiddenError,
    ApiInvalidError,
    ApiNoAnswerError,
    ApiNotFoundError,
    ApiOfflineError,
    ApiStaleError,
    ApiThrottledError,
    ApiTooLargeError,
    ApiUnauthorizedError,
    BadAnswerError,
    NotReachedError,
    ServerFailedError,
)
from entendre.clients.api.retrying import Retries

__all__ = [
    "ApiConflictError",
    "ApiError",
    "ApiExistsError",
    "ApiForbiddenError",
    "ApiInvalidError",
    "ApiNoAnswerError",
    "ApiNotFoundError",
    "ApiOfflineError",
    "ApiStaleError",
    "ApiThrottledError",
    "ApiTooLargeError",
    "ApiUnauthorizedError",
    "BadAnswerError",
    "CorruptedError",
    "Entendre",
    "NotReachedError",
    "Retries",
    "ServerFailedError",
]
