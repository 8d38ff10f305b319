"""One root of errors; each stage subclasses it with a stable code."""

from __future__ import annotations

from typing import ClassVar


class EntendreError(Exception):
    """Root of every error that this program raises on purpose.

    `code` is stable and documented in docs/errors.md; `public_message` is safe to show to a user.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, public_message: str = "Something went wrong.", *, detail: str = "") -> None:
        super().__init__(detail or public_message)
        self.public_message = public_message
        self.detail = detail


class ConfigurationError(EntendreError):
    """A setting is missing, unknown or contradicts another."""

    code: ClassVar[str] = "configuration"


class MissingExtraError(EntendreError):
    """An optional dependency is not installed."""

    code: ClassVar[str] = "missing_extra"


class InvalidInputError(EntendreError):
    """A caller's input is malformed; the message says what to do."""

    code: ClassVar[str] = "invalid_input"


class RecognitionError(EntendreError):
    """A recognizer could not turn audio into text."""

    code: ClassVar[str] = "recognition_failed"
    retryable: ClassVar[bool] = True


class SynthesisError(EntendreError):
    """A voice could not turn text into audio."""

    code: ClassVar[str] = "synthesis_failed"
    retryable: ClassVar[bool] = True


class ModelError(EntendreError):
    """A model's files are missing, incomplete or have a wrong checksum."""

    code: ClassVar[str] = "model_unavailable"


class ActionError(EntendreError):
    """An action of a committed plan could not be carried out."""

    code: ClassVar[str] = "action_failed"
    retryable: ClassVar[bool] = True


class UnknownTargetError(ActionError):
    """An action names an appliance or a scene that the home does not have."""

    code: ClassVar[str] = "unknown_target"
    retryable: ClassVar[bool] = False


class UnsupportedActionError(ActionError):
    """The appliance exists but cannot do this, or not with this value."""

    code: ClassVar[str] = "unsupported_action"
    retryable: ClassVar[bool] = False


class UnavailableError(ActionError):
    """The appliance, or what connects it, cannot be reached now."""

    code: ClassVar[str] = "unavailable"


class NothingPlaysError(ActionError):
    """Nothing plays here that could be paused, resumed or stopped."""

    code: ClassVar[str] = "nothing_plays"
    retryable: ClassVar[bool] = False


class UnknownMediaError(ActionError):
    """This speaker does not know what to play, or cannot. `name`: what was asked for."""

    code: ClassVar[str] = "unknown_media"
    retryable: ClassVar[bool] = False

    def __init__(self, name: str = "", *, detail: str = "") -> None:
        super().__init__(detail=detail)
        self.name = name


class MediaError(EntendreError):
    """A station or a file cannot be fetched or decoded."""

    code: ClassVar[str] = "media_failed"
    retryable: ClassVar[bool] = True


class OverloadedError(EntendreError):
    """A bounded queue is full; the caller should slow down and try again."""

    code: ClassVar[str] = "overloaded"
    retryable: ClassVar[bool] = True


class StoreError(EntendreError):
    """The database refused or could not be reached."""

    code: ClassVar[str] = "store_failed"
    retryable: ClassVar[bool] = True


class ConflictError(StoreError):
    """A row was changed by someone else since it was read."""

    code: ClassVar[str] = "conflict"


class NewerDatabaseError(StoreError):
    """The database was written by a newer version of this program."""

    code: ClassVar[str] = "newer_database"
    retryable: ClassVar[bool] = False


class UnauthorizedError(EntendreError):
    """No key, or one that does not fit."""

    code: ClassVar[str] = "unauthorized"


class ForbiddenError(EntendreError):
    """Whoever asks is known, and may not do this."""

    code: ClassVar[str] = "forbidden"


class NotFoundError(EntendreError):
    """There is no such thing, or none that whoever asks may know of."""

    code: ClassVar[str] = "not_found"


class AlreadyExistsError(EntendreError):
    """Something of this name or serial number exists."""

    code: ClassVar[str] = "already_exists"


class StaleError(EntendreError):
    """`If-Match` names a version that is no longer the current one: read again, then change."""

    code: ClassVar[str] = "precondition_failed"


class TooLargeError(EntendreError):
    """A document or a queue is past its stated limit; the message names the limit."""

    code: ClassVar[str] = "too_large"


class ThrottledError(EntendreError):
    """Asked too often. `retry_after_s`: when to ask again."""

    code: ClassVar[str] = "throttled"
    retryable: ClassVar[bool] = True

    def __init__(
        self, public_message: str = "Too many requests.", *, retry_after_s: float = 1.0, detail: str = ""
    ) -> None:
        super().__init__(public_message, detail=detail)
        self.retry_after_s = retry_after_s


class HouseholdChangedError(EntendreError):
    """A device came into another household, or left its own, while it was connected: it is to connect again."""

    code: ClassVar[str] = "household_changed"
    retryable: ClassVar[bool] = True


class OfflineError(EntendreError):
    """The device is not connected, so a direct command can't reach it."""

    code: ClassVar[str] = "offline"
    retryable: ClassVar[bool] = True


class NoAnswerError(EntendreError):
    """The device was reached and did not answer in time; whether the command had effect is not known."""

    code: ClassVar[str] = "no_answer"
    retryable: ClassVar[bool] = True
