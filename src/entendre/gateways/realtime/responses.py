"""One response from `response.created` to `response.done`."""

from __future__ import annotations

from dataclasses import replace

from entendre.gateways.realtime.audio import Downlink
from entendre.gateways.realtime.items import Items, Said
from entendre.gateways.realtime.tools import FunctionCall
from entendre.wire.realtime import RealtimeCodec
from entendre.wire.realtime_items import Item, Part, Response, Usage
from entendre.wire.realtime_server import (
    ArgumentsFinished,
    ArgumentsWritten,
    AudioFinished,
    AudioSaid,
    ItemAdded,
    ItemFinished,
    OutputAdded,
    OutputFinished,
    PartAdded,
    PartFinished,
    ResponseBegan,
    ResponseEnded,
    ServerEvent,
    TextFinished,
    TextWritten,
    WordsFinished,
    WordsSaid,
)

Events = list[ServerEvent]

AUDIO_TOKENS_IN_PER_S = 10
AUDIO_TOKENS_OUT_PER_S = 20
"""Source: OpenAI counts a token per 100 ms of user audio and per 50 ms of assistant audio."""


class OpenResponse:
    """The response under way: at most one message, spoken or written."""

    def __init__(
        self,
        codec: RealtimeCodec,
        items: Items,
        *,
        speaks: bool | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        config = codec.config
        self._codec = codec
        self._items = items
        self.reply: str | None = None
        self.turn = ""
        self.heard_s = 0.0
        self._text = ""
        self._item: Item | None = None
        self._previous: str | None = None
        self._downlink: Downlink | None = None
        self._response = Response(
            codec.new_id("resp"),
            f"conv_{codec.name}",
            speaks=config.speaks if speaks is None else speaks,
            voice=config.voice,
            output_format=config.output_format,
            metadata=metadata,
        )

    def opened(self) -> Events:
        """It exists; nothing is said yet."""
        return [ResponseBegan(self._response)]

    def said(self, reply: str, turn: str, text: str, rate_hz: int) -> Events:
        """A reply with this text begins."""
        self.reply, self.turn, self._text = reply, turn, text
        speaks = self._response.speaks
        self._item = Item(self._codec.new_id("item"), role="assistant", status="in_progress")
        self._previous = self._items.add(self._item)
        self._items.said[self._item.id] = Said(reply)
        place = (self._response.id, self._item.id, 0, 0)
        events: Events = [
            OutputAdded(self._response.id, 0, self._item),
            ItemAdded(self._previous, self._item),
            PartAdded(*place, Part("output_audio" if speaks else "output_text")),
        ]
        if speaks:
            self._downlink = Downlink(rate_hz, self._response.output_format)
            return [*events, WordsSaid(*place, text)]
        return [*events, TextWritten(*place, text)]

    def audio(self, pcm16: bytes) -> Events:
        """A piece of the reply's audio."""
        return [] if self._downlink is None else self._audio(self._downlink.push(pcm16))

    def _audio(self, audio: bytes) -> Events:
        if not audio or self._item is None:
            return []
        self._items.said[self._item.id].milliseconds += self._response.output_format.seconds(len(audio)) * 1000
        return [AudioSaid(self._response.id, self._item.id, 0, 0, audio)]

    def closed(self, status: str, reason: str | None, code: str | None, message: str | None) -> Events:
        """It is over: "completed", "cancelled" or "failed"."""
        events: Events = []
        said = Said("")
        if self._item is not None:
            if self._downlink is not None and status == "completed":
                events += self._audio(self._downlink.flush())
            said = self._items.said.get(self._item.id, said)
            events += self._message_done("completed" if status == "completed" else "incomplete")
        usage = Usage(
            audio_in=round(self.heard_s * AUDIO_TOKENS_IN_PER_S),
            audio_out=round(said.milliseconds / 1000 * AUDIO_TOKENS_OUT_PER_S),
            text_out=len(self._text.split()),
        )
        self._response = replace(
            self._response,
            status=status,
            reason=reason,
            code=code,
            message=message,
            output=(self._item,) if self._item else (),
            usage=usage,
        )
        return [*events, ResponseEnded(self._response)]

    def _message_done(self, status: str) -> Events:
        assert self._item is not None
        spoken = self._response.speaks
        part = Part("output_audio", transcript=self._text) if spoken else Part("output_text", text=self._text)
        self._item = replace(self._item, status=status, parts=(part,))
        self._items.replace(self._item)
        place = (self._response.id, self._item.id, 0, 0)
        finished: Events = [TextFinished(*place, self._text)]
        if spoken:
            finished = [AudioFinished(*place), WordsFinished(*place, self._text)]
        return [
            *finished,
            PartFinished(*place, part),
            OutputFinished(self._response.id, 0, self._item),
            ItemFinished(self._previous, self._item),
        ]

    def called(self, call: FunctionCall, call_id: str) -> Events:
        """The whole of a response that only calls a function."""
        item = Item(
            self._codec.new_id("item"), "function_call", "", "in_progress", name=call.name, call=call_id, arguments=""
        )
        previous = self._items.add(item)
        done = replace(item, status="completed", arguments=call.arguments)
        self._items.replace(done)
        response, place = self._response, (self._response.id, item.id, 0, call_id)
        ended = replace(response, status="completed", output=(done,), usage=Usage(text_out=1))
        return [
            ResponseBegan(response),
            OutputAdded(response.id, 0, item),
            ItemAdded(previous, item),
            ArgumentsWritten(*place, call.arguments),
            ArgumentsFinished(*place, call.name, call.arguments),
            OutputFinished(response.id, 0, done),
            ItemFinished(previous, done),
            ResponseEnded(ended),
        ]
