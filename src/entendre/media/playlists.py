"""Playlists of stations: the first address in them is the one to play."""

from __future__ import annotations

import re

from entendre.core.errors import MediaError

MAX_PLAYLIST_BYTES = 64 * 1024
TYPES = frozenset(
    {
        *("audio/x-mpegurl", "audio/mpegurl", "application/x-mpegurl", "application/vnd.apple.mpegurl"),
        *("audio/x-scpls", "application/pls+xml", "audio/scpls"),
    }
)
_ENDINGS = (".m3u", ".pls", ".m3u8")
_HLS = re.compile(r"^#EXT-X-(TARGETDURATION|STREAM-INF|MEDIA-SEQUENCE)", re.MULTILINE)
_PLS_ENTRY = re.compile(r"^\s*File\d+\s*=\s*(\S+)", re.MULTILINE | re.IGNORECASE)


def is_playlist(content_type: str, path: str) -> bool:
    """Whether an answer is a playlist, by its type, or by its name if the type says nothing."""
    if content_type in TYPES:
        return True
    return path.lower().endswith(_ENDINGS) and not content_type.startswith("audio/")


def first_entry(playlist: bytes) -> str:
    """The first address of an M3U or PLS file. Raises: MediaError for none, and for HLS, which is no one stream."""
    text = playlist.decode("utf-8", "replace").lstrip("\ufeff")
    if _HLS.search(text):
        raise MediaError("That station only streams in pieces (HLS), which I can't play.", detail="hls")
    entry = _PLS_ENTRY.search(text)
    if entry is not None:
        return entry[1]
    lines = (line.strip() for line in text.splitlines())
    address = next((line for line in lines if line and not line.startswith(("#", "["))), None)
    if address is None:
        raise MediaError("That playlist is empty.", detail="empty playlist")
    return address
