"""What the HTTP API does in the home: announcements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entendre.session.announcing import Announcement, Audience, announce
from entendre.system import new_id
from entendre.web.services import SpokenNotice

if TYPE_CHECKING:
    from entendre.app.application import App


async def say_in_home(app: App, notice: SpokenNotice) -> list[tuple[str, str | None]]:
    """Have a notice said; the speakers that took it. Raises: OverloadedError, StoreError."""
    announcement = Announcement(notice.text, notice.language, notice.urgent, notice.within_s)
    audience = Audience(notice.room, notice.device)
    taken = await announce(app.assistant, announcement, audience, turn=notice.turn or new_id())
    return [(speaker.device, speaker.room) for speaker in taken]
