"""Record what a server and an unencrypted ESPHome device say to each other.

`record_esphome.py LISTEN DEVICE_PORT FILE`: the server dials LISTEN on this machine, and is passed on to the device. Of
the microphone's audio only the size is kept.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from typing import Any, TextIO

from aioesphomeapi import api_pb2 as pb
from aioesphomeapi.core import MESSAGE_TYPE_TO_PROTO


async def read_frame(reader: asyncio.StreamReader) -> tuple[bytes, type[Any], bytes]:
    """One plaintext frame: its bytes, what it is, and what is in it."""
    raw = bytearray(await reader.readexactly(1))
    size, number = [await read_varint(reader, raw) for _ in range(2)]
    data = await reader.readexactly(size)
    return bytes(raw) + data, MESSAGE_TYPE_TO_PROTO[number], data


async def read_varint(reader: asyncio.StreamReader, raw: bytearray) -> int:
    value = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        raw.append(byte)
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, who: str, file: TextIO) -> None:
    try:
        while True:
            raw, kind, data = await read_frame(reader)
            writer.write(raw)
            if kind is pb.VoiceAssistantAudio:
                row: dict[str, Any] = {"audio_bytes": [len(kind.FromString(data).data)]}
            else:
                row = {"data": data.hex()}
            if kind not in (pb.PingRequest, pb.PingResponse):
                file.write(json.dumps({"from": who, "type": kind.__name__} | row) + "\n")
                file.flush()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(port: int, file: TextIO, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    from_device, to_device = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(pass_on(reader, to_device, "server", file), pass_on(from_device, writer, "device", file))


async def main(listen: str, device: str, path: str) -> None:
    with open(path, "w", encoding="utf-8") as file:  # noqa: ASYNC230, PTH123
        server = await asyncio.start_server(partial(serve, int(device), file), "127.0.0.1", int(listen))
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
