"""A satellite's speaker: plays raw PCM from standard input at true speed into a new WAV file of a folder.

Usage: speaker.py FOLDER RATE_HZ. A file is named `N.wav` once it is complete.
"""

from __future__ import annotations

import sys
import time
import wave
from pathlib import Path

PIECE_S = 0.02


def main(folder: Path, rate_hz: int) -> None:
    piece_bytes = int(rate_hz * PIECE_S) * 2
    began_s = time.monotonic()
    played = b""
    while piece := sys.stdin.buffer.read(piece_bytes):
        played += piece
        time.sleep(max(0.0, began_s + len(played) / 2 / rate_hz - time.monotonic()))
        if time.monotonic() - began_s > len(played) / 2 / rate_hz + 0.1:
            began_s = time.monotonic() - len(played) / 2 / rate_hz
    part = folder / f"{time.time_ns()}.part"
    with wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(played)
    part.rename(part.with_suffix(".wav"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
