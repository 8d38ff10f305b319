"""Rules of webhooks: what they hear of, how a delivery is signed, and when it is tried again."""

from __future__ import annotations

import hashlib
import hmac
import re

from entendre.core.errors import InvalidInputError

MAX_URL_CHARS = 1_000
MAX_TOPICS = 32
MAX_OF_BRAND = 50
SECRET_BYTES = 32
SECRET_PREFIX = "ents_"
SIGNATURE_HEADER = "Entendre-Signature"
FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 3_600.0
GIVEN_UP_FAILURES = 60
"""Failures in a row after which a webhook is disabled: two days at the longest interval."""

_TOPIC = re.compile(r"[a-z][a-z_]{0,31}(\.[a-z_]{1,32}){0,2}")


def checked_topics(topics: tuple[str, ...]) -> tuple[str, ...]:
    """Topics of the change feed; none are all. Raises: InvalidInputError."""
    if len(topics) > MAX_TOPICS or any(not _TOPIC.fullmatch(each) for each in topics):
        raise InvalidInputError(f"topics are at most {MAX_TOPICS} names as of the change feed, such as twin.desired.")
    return tuple(dict.fromkeys(topics))


def signature(secret: bytes, timestamp_s: int, body: bytes) -> str:
    """The value of the signature header: HMAC-SHA256 over the time, a dot and the body."""
    digest = hmac.new(secret, str(timestamp_s).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={timestamp_s},v1={digest}"


def retry_after_s(failures: int, chance: float) -> float:
    """How long to wait after so many failures in a row. `chance`: from 0 to 1, so that not all come back at once."""
    longest_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 20))
    return longest_s * (0.5 + chance / 2)
