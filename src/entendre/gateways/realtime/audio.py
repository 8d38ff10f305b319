"""Between a client's audio format and the house format, as a stream."""

from __future__ import annotations

from entendre.core.audio import HOUSE_RATE_HZ, AudioFormat, Encoding, samples_of
from entendre.core.resample import Resampler
from entendre.wire.g711 import decode, encode


class Uplink:
    """Client audio to house PCM16."""

    __slots__ = ("_format", "_odd", "_resampler")

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._resampler = Resampler(audio_format.rate_hz, HOUSE_RATE_HZ)
        self._odd = b""

    def push(self, audio: bytes) -> bytes:
        """House PCM16 of the next piece; half a sample waits for its other half."""
        if self._format.encoding is Encoding.PCM16:
            audio = self._odd + audio
            self._odd = audio[len(audio) & ~1 :]
        return self._resampler.push(decode(audio, self._format.encoding)).tobytes()


class Downlink:
    """A reply's PCM16 to the client's format."""

    __slots__ = ("_format", "_odd", "_resampler")

    def __init__(self, rate_hz: int, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._resampler = Resampler(rate_hz, audio_format.rate_hz)
        self._odd = b""

    def push(self, pcm16: bytes) -> bytes:
        """The next piece as the client wants it."""
        pcm16 = self._odd + pcm16
        self._odd = pcm16[len(pcm16) & ~1 :]
        return encode(self._resampler.push(samples_of(pcm16)), self._format.encoding)

    def flush(self) -> bytes:
        """The end of the reply."""
        return encode(self._resampler.flush(), self._format.encoding)
