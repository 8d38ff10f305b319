"""Every connected device of the household: opens conversations, and finds the speakers for rings and broadcasts."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from entendre.core.actions import ControlMedia
from entendre.core.errors import OverloadedError
from entendre.session.announcing import Announcement, Audience, Speaker
from entendre.session.api import DeviceLink, DeviceProfile, SessionEvent
from entendre.session.assistant import Assistant
from entendre.session.conversation import LiveConversation

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RingRequest:
    """Something that rings: a timer, an alarm or a reminder. `text` is what to say of it."""

    id: str
    kind: str
    name: str | None
    text: str
    device: str
    language: str = ""


class Hub:
    """Implements `session.api.ConversationFactory` and `session.assistant.Announcer`."""

    def __init__(self) -> None:
        self._assistant: Assistant | None = None
        self._conversations: dict[str, list[LiveConversation]] = {}
        self._ringing: dict[str, RingRequest] = {}
        self.languages = ""
        """What the household speaks, one tag or a few: on devices for which nobody chose a language."""
        self.on_sounded: Callable[[str, str], None] = lambda ring, device: None
        """Called with a ring's id and the device that begins to sound it."""

    def attach(self, assistant: Assistant) -> None:
        """Use these shared parts; once, at start-up."""
        self._assistant = assistant

    def open(self, profile: DeviceProfile, link: DeviceLink) -> LiveConversation:
        """A conversation for one connection; it is known to the hub while it runs."""
        assert self._assistant is not None, "attach() comes first"
        return _Registered(self._assistant, self.at_home(profile), link, self)

    def at_home(self, profile: DeviceProfile) -> DeviceProfile:
        """A device's profile as this household has it."""
        if not self.languages or profile.language_chosen:
            return profile
        return replace(profile, language=self.languages)

    def connected(self, conversation: LiveConversation) -> None:
        """A conversation began to run: what rings for its device rings there at once, and where it stood in no more."""
        group = self._conversations.setdefault(conversation.profile.device, [])
        group.append(conversation)
        for ring in self._ringing.values():
            self._sound(ring)
        for relieved in [each for each in group if each not in _speaking(group)]:
            for name in relieved.rings:
                relieved.stop_ring(name)

    def gone(self, conversation: LiveConversation) -> None:
        """A conversation ended; what rang there rings on elsewhere if it can, and what waited goes to who stands in."""
        device = conversation.profile.device
        left = [c for c in self._conversations.get(device, []) if c is not conversation]
        if left:
            self._conversations[device] = left
        else:
            self._conversations.pop(device, None)
        for ring in self._ringing.values():
            self._sound(ring)
        if not conversation.profile.stands_in:
            _inherit([each for each in _speaking(left) if each.profile.stands_in], conversation.unsaid())

    def devices(self) -> tuple[str, ...]:
        """Ids of the devices that are connected."""
        return tuple(self._conversations)

    def rooms(self) -> tuple[str, ...]:
        """Rooms that have a connected speaker."""
        return tuple(dict.fromkeys(c.room for c in self._all() if c.room is not None))

    def ring(self, request: RingRequest) -> bool:
        """Ring on the device that was asked, or on every device while that one is away; whether any is there."""
        self._ringing[request.id] = request
        return self._sound(request)

    def stop_ring(self, ring: str) -> None:
        """Silence it wherever it rings."""
        self._ringing.pop(ring, None)
        for conversation in self._all():
            conversation.stop_ring(ring)

    def notify(self, device: str, event: SessionEvent) -> None:
        """Send an event that belongs to no turn to a device, if it is connected."""
        for conversation in self._at(device):
            conversation.notify(event)

    def rings_on(self, device: str) -> frozenset[str]:
        """Ids of what rings on a device, wherever it was asked for."""
        return frozenset[str]().union(*(c.rings for c in self._at(device)))

    def announce(self, announcement: Announcement, audience: Audience) -> tuple[Speaker, ...]:
        """Have it said on the speakers it is for; those that took it.

        Raises: OverloadedError when there are some and all have too much to say.
        """
        taken: dict[str, Speaker] = {}
        refused: OverloadedError | None = None
        for conversation in self._for(audience):
            device = conversation.profile.device
            try:
                conversation.announce(announcement)
                taken[device] = Speaker(device, conversation.room)
            except OverloadedError as error:
                refused = error
                log.debug("announcement refused", extra={"device": device})
        if refused is not None and not taken:
            raise refused
        return tuple(taken.values())

    def control_media(self, action: ControlMedia, audience: Audience) -> tuple[Speaker, ...]:
        """Play, pause or stop media on speakers; those that were told."""
        told: dict[str, Speaker] = {}
        for conversation in self._for(audience):
            conversation.control_media(replace(action, room=None))
            told[conversation.profile.device] = Speaker(conversation.profile.device, conversation.room)
        return tuple(told.values())

    def _for(self, audience: Audience) -> list[LiveConversation]:
        """The conversations of an audience. A room's own speaker says what is said to its room."""
        found = self._all() if audience.device is None else self._at(audience.device)
        if audience.room is not None:
            room = self._room_named(audience.room)
            found = [each for each in found if each.room == room]
        return [each for each in found if each.profile.device != audience.besides]

    def _room_named(self, name: str) -> str:
        assert self._assistant is not None, "attach() comes first"
        return self._assistant.household.room_named(name)

    def _sound(self, request: RingRequest) -> bool:
        targets = self._at(request.device) or self._all()
        for conversation in targets:
            if request.id not in conversation.rings:
                conversation.ring(request.id, request.kind, request.name, request.text, request.language)
                self.on_sounded(request.id, conversation.profile.device)
        return bool(targets)

    def _all(self) -> list[LiveConversation]:
        return [conversation for group in self._conversations.values() for conversation in _speaking(group)]

    def _at(self, device: str) -> list[LiveConversation]:
        return _speaking(self._conversations.get(device, []))


def _speaking(group: list[LiveConversation]) -> list[LiveConversation]:
    """Those of a device that sound what nobody asked for: one that stands in only while there is no other."""
    return [each for each in group if not each.profile.stands_in] or group


def _inherit(heirs: list[LiveConversation], announcements: list[Announcement]) -> None:
    for heir in heirs:
        with contextlib.suppress(OverloadedError):  # it has enough to say
            for each in announcements:
                heir.announce(each)


class _Registered(LiveConversation):
    """A conversation that the hub knows while it runs."""

    def __init__(self, assistant: Assistant, profile: DeviceProfile, link: DeviceLink, hub: Hub) -> None:
        super().__init__(assistant, profile, link)
        self._hub = hub

    def reconfigure(self, profile: DeviceProfile) -> None:
        super().reconfigure(self._hub.at_home(profile))

    async def run(self) -> None:
        self._hub.connected(self)
        try:
            await super().run()
        finally:
            self._hub.gone(self)
