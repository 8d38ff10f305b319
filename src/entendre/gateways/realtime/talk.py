"""What a client and its conversation say to each other, from the first audio or item on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from aiohttp import WSCloseCode

from entendre.core.actions import Action
from entendre.core.audio import HOUSE_FORMAT
from entendre.core.errors import EntendreError
from entendre.gateways.realtime.audio import Uplink
from entendre.gateways.realtime.dialogue import Dialogue
from entendre.gateways.realtime.settings import HEAR_PIECE_BYTES, MAX_CALLS, MIN_COMMIT_S, TOOL_TIMEOUT_S
from entendre.gateways.realtime.tools import call_of, succeeded
from entendre.session.api import (
    Conversation,
    ConversationFactory,
    DeviceProfile,
    ListenMode,
    SessionEvent,
    SpeechStopped,
    TurnCommitted,
)
from entendre.wire.realtime import RealtimeCodec
from entendre.wire.realtime_client import (
    AudioAppended,
    AudioCleared,
    AudioCommitted,
    ClientEvent,
    ItemCreated,
    ItemDeleted,
    ItemRetrieved,
    ItemTruncated,
    ResponseCancelled,
    ResponseRequested,
)
from entendre.wire.realtime_items import Item
from entendre.wire.realtime_server import (
    BufferCleared,
    Failed,
    ItemAdded,
    ItemCut,
    ItemFinished,
    ItemGone,
    ItemShown,
    ServerEvent,
)

log = logging.getLogger(__name__)


class Client(Protocol):
    """What a talk needs of its connection."""

    codec: RealtimeCodec

    def profile(self) -> DeviceProfile:
        """The device as a session sees it."""
        ...

    async def send(self, events: Iterable[ServerEvent]) -> None:
        """Send events in order."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """End the connection."""
        ...


class Talk:
    """Follows the client's events, and is the conversation's device link."""

    def __init__(self, client: Client, factory: ConversationFactory) -> None:
        self._client = client
        self._dialogue = Dialogue(client.codec)
        self._calls: dict[str, asyncio.Future[str]] = {}
        self._uplink = Uplink(client.codec.config.input_format)
        self._heard_format = client.codec.config.input_format
        self._uncommitted_s = 0.0
        self._profile = client.profile()
        self._listening: ListenMode | None = None
        self._conversation: Conversation = factory.open(self._profile, self)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Task root: a conversation that breaks ends its own connection only."""
        code, message = "", ""
        try:
            await self._conversation.run()
        except EntendreError as error:
            code, message = error.code, error.public_message
            log.info("conversation ended", extra={"device": self._profile.device, "code": code})
        except Exception:
            code, message = "internal", "The conversation failed."
            log.exception("conversation failed", extra={"device": self._profile.device})
        if code:
            await self._client.send([Failed("server_error", code, message)])
            await self._client.close(WSCloseCode.INTERNAL_ERROR, code)

    async def end(self) -> None:
        """The client is gone."""
        for call in self._calls.values():
            call.cancel()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def reconfigure(self) -> None:
        """The client changed its session."""
        profile = self._client.profile()
        if profile == self._profile:
            return
        mode_changed = profile.mode is not self._profile.mode
        self._profile = profile
        self._conversation.reconfigure(profile)
        if mode_changed:
            self._listening = None

    async def deliver(self, event: SessionEvent) -> None:
        """Send one event to the client. See `DeviceLink`."""
        await self._client.send(self._dialogue.on(event))
        if isinstance(event, SpeechStopped) and self._profile.mode is ListenMode.CONTINUOUS:
            self._uncommitted_s = 0.0
        if isinstance(event, TurnCommitted) and self._dialogue.asks_when_committed:
            self._dialogue.asks_when_committed = False
            if event.text:
                self._conversation.respond(None)
            else:
                await self._client.send(self._dialogue.settle())

    async def perform(self, action: Action) -> bool | str:
        """Do a device's action by the client's own tool. See `DeviceLink`."""
        call = call_of(action, self._profile.tools)
        if call is None or len(self._calls) >= MAX_CALLS:
            return False
        call_id = self._client.codec.new_id("call")
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._calls[call_id] = done
        try:
            async with asyncio.timeout(TOOL_TIMEOUT_S):
                await self._client.send(self._dialogue.call(call, call_id))
                output = await done
            return succeeded(output) and output
        except TimeoutError:
            log.info("tool gave no output in time", extra={"device": self._profile.device})
            return False
        finally:
            del self._calls[call_id]

    async def follow(self, event: ClientEvent, event_id: str | None) -> None:
        """Do what the client asks for."""
        match event:
            case AudioAppended(audio):
                await self._hear(self._piece(audio))
            case AudioCommitted():
                await self._commit(event_id)
            case AudioCleared():
                self._uncommitted_s = 0.0
                self._conversation.clear_audio()
                await self._client.send([BufferCleared()])
            case ItemCreated(item, previous):
                await self._create(item, previous, event_id)
            case ItemRetrieved(item) | ItemDeleted(item):
                await self._show_or_delete(event, item, event_id)
            case ItemTruncated(item, audio_end_ms):
                await self._truncate(item, audio_end_ms, event_id)
            case ResponseRequested():
                await self._respond(event, event_id)
            case ResponseCancelled():
                await self._cancel(event_id)

    async def _refuse(self, code: str, message: str, param: str | None, event_id: str | None) -> None:
        await self._client.send([Failed("invalid_request_error", code, message, param, event_id)])

    def _piece(self, audio: bytes) -> bytes:
        config = self._client.codec.config
        if config.input_format != self._heard_format:
            self._heard_format = config.input_format
            self._uplink = Uplink(config.input_format)
        return self._uplink.push(audio)

    async def _hear(self, pcm16: bytes) -> None:
        """Feed house audio in pieces, so that a whole file at once does not hold up other connections."""
        self._listen(self._profile.mode)
        self._uncommitted_s += HOUSE_FORMAT.seconds(len(pcm16))
        for start in range(0, len(pcm16), HEAR_PIECE_BYTES):
            if start:
                await asyncio.sleep(0)
            self._conversation.hear(pcm16[start : start + HEAR_PIECE_BYTES])

    def _listen(self, mode: ListenMode) -> None:
        """Have audio heard in this mode; sending audio is no wish to stop a reply."""
        if self._listening is not mode:
            self._listening = mode
            self._conversation.start_listening(mode, interrupts=False)

    async def _commit(self, event_id: str | None) -> None:
        if self._uncommitted_s < MIN_COMMIT_S:
            message = f"The buffer holds {self._uncommitted_s * 1000:.0f} ms of audio; committing needs 100 ms."
            await self._refuse("input_audio_buffer_commit_empty", message, None, event_id)
            return
        if self._dialogue.deaf:
            message = "Turn detection has taken the audio, and its turn is being answered."
            await self._refuse("input_audio_buffer_commit_empty", message, None, event_id)
            return
        seconds, self._uncommitted_s = self._uncommitted_s, 0.0
        committed = self._dialogue.commit(seconds)
        self._conversation.stop_listening()
        self._listening = None
        await self._client.send(committed)

    async def _create(self, item: Item, previous: str | None, event_id: str | None) -> None:
        items = self._dialogue.items
        if item.id in items:
            await self._refuse("item_already_exists", "An item with this id exists.", "item.id", event_id)
        elif previous not in (None, "root") and previous not in items:
            await self._refuse("item_not_found", "There is no such previous item.", "previous_item_id", event_id)
        elif item.kind == "function_call_output" and not self._complete(item):
            await self._refuse("call_not_found", "No function call waits for this output.", "item.call_id", event_id)
        else:
            stands_behind = items.add(item, previous)
            if item.kind == "message" and item.role == "user":
                items.ask(item)
            await self._client.send([ItemAdded(stands_behind, item), ItemFinished(stands_behind, item)])

    def _complete(self, item: Item) -> bool:
        """Hand a tool's output to the action that waits for it. A late one is taken too, it just has no effect."""
        waiting = self._calls.get(item.call)
        if waiting is not None and not waiting.done():
            waiting.set_result(item.output)
        return waiting is not None or self._dialogue.items.has_call(item.call)

    async def _show_or_delete(self, event: ItemRetrieved | ItemDeleted, item: str, event_id: str | None) -> None:
        items = self._dialogue.items
        if item not in items:
            await self._refuse("item_not_found", "There is no such item.", "item_id", event_id)
        elif isinstance(event, ItemRetrieved):
            await self._client.send([ItemShown(items[item])])
        else:
            items.remove(item)
            await self._client.send([ItemGone(item)])

    async def _truncate(self, item: str, audio_end_ms: int, event_id: str | None) -> None:
        reply = self._dialogue.truncate(item, audio_end_ms)
        if reply is None:
            message = "Only a spoken reply can be truncated, and only within the audio that was sent."
            await self._refuse("invalid_truncation", message, "item_id", event_id)
            return
        self._conversation.played(reply, audio_end_ms / 1000)
        await self._client.send([ItemCut(item, 0, audio_end_ms)])

    async def _cancel(self, event_id: str | None) -> None:
        if self._dialogue.active is None:
            await self._refuse("response_cancel_not_active", "No response is under way.", None, event_id)
            return
        self._conversation.cancel_reply()
        await self._client.send(self._dialogue.cancel())

    async def _respond(self, event: ResponseRequested, event_id: str | None) -> None:
        dialogue = self._dialogue
        if dialogue.unasked:
            await self._client.send(dialogue.cancel())
        if dialogue.active is not None:
            if dialogue.follows_tool:  # its reply is being said; there will be no second one
                dialogue.follow_tool()
                return
            message = "A response is under way; wait for response.done or send response.cancel."
            await self._refuse("conversation_already_has_active_response", message, None, event_id)
            return
        item = self._asked(event)
        answerable, follows_tool = dialogue.answerable, dialogue.follows_tool
        await self._client.send(dialogue.begin(speaks=event.speaks, metadata=event.metadata))
        if item is not None and item.audio:
            await self._speak(item)
        elif item is not None and item.text.strip():
            dialogue.type(item)
            self._conversation.respond(item.text)
        elif dialogue.transcript_pending:
            dialogue.asks_when_committed = True
        elif answerable:
            self._conversation.respond(None)
        elif not (follows_tool and dialogue.follow_tool()):
            missing = ("", "") if follows_tool else ("nothing_to_answer", "Nothing was said since the last response.")
            await self._client.send(dialogue.settle(*missing))

    def _asked(self, event: ResponseRequested) -> Item | None:
        if event.input is not None:
            return next((item for item in reversed(event.input) if item.role == "user"), None)
        return self._dialogue.items.take_asked()

    async def _speak(self, item: Item) -> None:
        """Hear the audio that came with an item as an utterance of its own."""
        pcm16 = Uplink(self._client.codec.config.input_format).push(item.audio)
        self._dialogue.speak(item, HOUSE_FORMAT.seconds(len(pcm16)))
        self._listening = ListenMode.MANUAL
        self._conversation.start_listening(ListenMode.MANUAL)
        for start in range(0, len(pcm16), HEAR_PIECE_BYTES):
            self._conversation.hear(pcm16[start : start + HEAR_PIECE_BYTES])
            await asyncio.sleep(0)
        self._conversation.stop_listening()
        self._listening = None
        self._dialogue.asks_when_committed = not self._profile.auto_respond
