"""Silero VAD on onnxruntime.

Shape: a frame is 64 samples of context and 512 new ones, the state (2, 1, 128).
Source: snakers4/silero-vad `utils_vad.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import ModelError
from entendre.speech.framed import Framer

FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64
_RATE = np.array(HOUSE_RATE_HZ, np.int64)


class SileroStream:
    """One stream: its own recurrent state, the network shared with the others."""

    frame_samples = FRAME_SAMPLES

    def __init__(self, network: onnxruntime.InferenceSession) -> None:
        self._network = network
        self._framer = Framer(FRAME_SAMPLES)
        self.reset()

    def push(self, audio: Samples) -> list[float]:
        """Speech probability of each whole frame, 0-1."""
        return [self._probability(frame) for frame in self._framer.push(audio)]

    def reset(self) -> None:
        """Forget everything heard."""
        self._framer.reset()
        self._state: NDArray[np.float32] = np.zeros((2, 1, 128), np.float32)
        self._window: NDArray[np.float32] = np.zeros((1, CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)

    def _probability(self, frame: Samples) -> float:
        window = self._window
        window[0, :CONTEXT_SAMPLES] = window[0, -CONTEXT_SAMPLES:]
        np.multiply(frame, 1.0 / 32768.0, out=window[0, CONTEXT_SAMPLES:], casting="unsafe")
        output, self._state = self._network.run(None, {"input": window, "state": self._state, "sr": _RATE})
        return float(output[0, 0])


class SileroVad:
    """Opens Silero streams over one loaded network."""

    name = "silero"

    def __init__(self, model: Path) -> None:
        """Raises: ModelError."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._network = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError("The VAD silero could not be loaded.", detail=str(error)) from error

    def open(self) -> SileroStream:
        """A new stream."""
        return SileroStream(self._network)
