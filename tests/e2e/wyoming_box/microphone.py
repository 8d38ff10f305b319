"""A satellite's microphone: raw PCM at true speed, silence before and after a recording, which a file triggers.

Usage: microphone.py RECORDING.raw TRIGGER [RATE_HZ]. The recording is played once each time TRIGGER appears.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

PIECE_S = 0.02


def main(recording: Path, trigger: Path, rate_hz: int) -> None:
    piece_bytes = int(rate_hz * PIECE_S) * 2
    audio = b""
    due_s = time.monotonic()
    while True:
        if not audio and trigger.exists():
            trigger.unlink()
            audio = recording.read_bytes()
        piece, audio = audio[:piece_bytes], audio[piece_bytes:]
        sys.stdout.buffer.write(piece.ljust(piece_bytes, b"\0"))
        sys.stdout.buffer.flush()
        due_s += PIECE_S
        time.sleep(max(0.0, due_s - time.monotonic()))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 16_000)
