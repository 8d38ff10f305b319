"""The session object of the OpenAI Realtime protocol, in its current and its older (`realtime=v1`) shape."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from entendre.core.audio import AudioFormat, Encoding
from entendre.wire.realtime_checks import (
    MAX_NAME_CHARS,
    Json,
    Refused,
    choice_at,
    flag_at,
    integer_at,
    list_at,
    number_at,
    object_at,
    optional_string_at,
    string_at,
    without_surrogates,
    wrong_type,
)

MAX_INSTRUCTIONS_CHARS = 32_768
MAX_TOOLS = 64
MAX_TOOL_SENTENCES = 64
MAX_SENTENCE_CHARS = 256
MAX_TOOL_CHARS = 16_384
"""Longest description of one tool, and longest JSON Schema of its parameters."""
MAX_INCLUDES = 16
PCM_RATES_HZ = (24_000, 16_000)
"""OpenAI takes 24 kHz only; 16 kHz is what recognizers hear, so our own clients skip a conversion."""
G711_RATE_HZ = 8_000
MIN_SPEED, MAX_SPEED = 0.25, 1.5
"""Source: OpenAI API reference, `session.audio.output.speed`."""


class Dialect(StrEnum):
    """Which of the protocol's two generations a client speaks."""

    CURRENT = "current"
    BETA = "beta"


PCM_24KHZ = AudioFormat(rate_hz=24_000)
_BETA_FORMATS = {
    "pcm16": PCM_24KHZ,
    "g711_ulaw": AudioFormat(rate_hz=G711_RATE_HZ, encoding=Encoding.ULAW),
    "g711_alaw": AudioFormat(rate_hz=G711_RATE_HZ, encoding=Encoding.ALAW),
}
_CURRENT_FORMATS = {
    "audio/pcm": PCM_24KHZ,
    "audio/pcmu": _BETA_FORMATS["g711_ulaw"],
    "audio/pcma": _BETA_FORMATS["g711_alaw"],
}
_CURRENT_NAMES = {Encoding.PCM16: "audio/pcm", Encoding.ULAW: "audio/pcmu", Encoding.ALAW: "audio/pcma"}


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """Who ends a turn: silence alone (`server_vad`), or meaning and silence (`semantic_vad`)."""

    semantic: bool = True
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    eagerness: str = "auto"
    create_response: bool = True
    interrupt_response: bool = True


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the client offers. `parameters` is JSON Schema as text; `sentences` are hassil templates."""

    name: str
    description: str = ""
    parameters: str = "{}"
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Everything a client can set. Values that have no effect here are kept and echoed."""

    model: str = "entendre"
    instructions: str = ""
    speaks: bool = True
    transcribes_only: bool = False
    input_format: AudioFormat = PCM_24KHZ
    output_format: AudioFormat = PCM_24KHZ
    turn_detection: TurnDetection | None = TurnDetection()
    voice: str = "default"
    speed: float = 1.0
    transcription: bool = True
    language: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    include: tuple[str, ...] = ()
    max_output_tokens: int | str = "inf"


def updated(config: SessionConfig, document: Json) -> SessionConfig:
    """The config after a `session.update` in either shape. Raises: Refused."""
    kind = choice_at(document, "type", "session.", ("realtime", "transcription"), "realtime")
    config = replace(config, transcribes_only=kind == "transcription")
    config = _common(config, document)
    if (audio := object_at(document, "audio", "session.")) is not None:
        config = _current_audio(config, audio)
    return _beta_audio(config, document)


def _common(config: SessionConfig, document: Json) -> SessionConfig:
    path = "session."
    if "instructions" in document:
        limit = MAX_INSTRUCTIONS_CHARS
        config = replace(config, instructions=string_at(document, "instructions", path, limit=limit, default=""))
    if document.get("model") is not None:
        config = replace(config, model=string_at(document, "model", path, limit=MAX_NAME_CHARS))
    if "tools" in document:
        config = replace(config, tools=tools_of(list_at(document, "tools", path, MAX_TOOLS), "session.tools"))
    if isinstance(document.get("tool_choice"), str):
        config = replace(config, tool_choice=string_at(document, "tool_choice", path))
    if "include" in document:
        names = list_at(document, "include", path, MAX_INCLUDES)
        config = replace(
            config, include=tuple(without_surrogates(name[:MAX_NAME_CHARS]) for name in names if isinstance(name, str))
        )
    for key in ("output_modalities", "modalities"):
        if document.get(key) is not None:
            config = replace(config, speaks=speaks(document, key, path))
    for key in ("max_output_tokens", "max_response_output_tokens"):
        if document.get(key) not in (None, "inf"):
            config = replace(config, max_output_tokens=integer_at(document, key, path, 1, 4096))
    return config


def speaks(document: Json, key: str, path: str) -> bool:
    """Whether a list of output modalities asks for audio. Raises: Refused."""
    names = list_at(document, key, path, 2)
    if not names or any(name not in ("text", "audio") for name in names):
        raise Refused("invalid_value", f"{path}{key} must name 'audio' or 'text'.", f"{path}{key}")
    return "audio" in names


def _current_audio(config: SessionConfig, audio: Json) -> SessionConfig:
    if (heard := object_at(audio, "input", "session.audio.")) is not None:
        path = "session.audio.input."
        if heard.get("format") is not None:
            config = replace(config, input_format=_current_format(heard, path))
        if "transcription" in heard:
            config = _transcription(config, heard, "transcription", path)
        if "turn_detection" in heard:
            config = replace(config, turn_detection=_turn_detection(heard, path))
    if (said := object_at(audio, "output", "session.audio.")) is not None:
        path = "session.audio.output."
        if said.get("format") is not None:
            config = replace(config, output_format=_current_format(said, path))
        config = _voice_and_speed(config, said, path)
    return config


def _beta_audio(config: SessionConfig, document: Json) -> SessionConfig:
    path = "session."
    if document.get("input_audio_format") is not None:
        config = replace(config, input_format=_beta_format(document, "input_audio_format"))
    if document.get("output_audio_format") is not None:
        config = replace(config, output_format=_beta_format(document, "output_audio_format"))
    if "input_audio_transcription" in document:
        config = _transcription(config, document, "input_audio_transcription", path)
    if "turn_detection" in document:
        config = replace(config, turn_detection=_turn_detection(document, path))
    return _voice_and_speed(config, document, path)


def _voice_and_speed(config: SessionConfig, document: Json, path: str) -> SessionConfig:
    voice = document.get("voice")
    if isinstance(voice, dict):
        config = replace(config, voice=string_at(voice, "id", f"{path}voice.", limit=MAX_NAME_CHARS))
    elif voice is not None:
        config = replace(config, voice=string_at(document, "voice", path, limit=MAX_NAME_CHARS))
    return replace(config, speed=number_at(document, "speed", path, MIN_SPEED, MAX_SPEED, config.speed))


def _transcription(config: SessionConfig, document: Json, key: str, path: str) -> SessionConfig:
    settings = object_at(document, key, path)
    if settings is None:
        return replace(config, transcription=False)
    language = optional_string_at(settings, "language", f"{path}{key}.", limit=MAX_NAME_CHARS)
    return replace(config, transcription=True, language=language or config.language)


def _current_format(document: Json, path: str) -> AudioFormat:
    value = document["format"]
    if not isinstance(value, dict):
        raise wrong_type(f"{path}format", "an object such as {'type': 'audio/pcm', 'rate': 24000}")
    name = choice_at(value, "type", f"{path}format.", tuple(_CURRENT_FORMATS))
    audio_format = _CURRENT_FORMATS[name]
    rate_hz = integer_at(value, "rate", f"{path}format.", 1, 192_000, audio_format.rate_hz)
    allowed = PCM_RATES_HZ if audio_format.encoding is Encoding.PCM16 else (G711_RATE_HZ,)
    if rate_hz not in allowed:
        listed = " or ".join(str(rate) for rate in allowed)
        raise Refused("invalid_value", f"{path}format.rate must be {listed} for {name}.", f"{path}format.rate")
    return replace(audio_format, rate_hz=rate_hz)


def _beta_format(document: Json, key: str) -> AudioFormat:
    return _BETA_FORMATS[choice_at(document, key, "session.", tuple(_BETA_FORMATS))]


def _turn_detection(document: Json, path: str) -> TurnDetection | None:
    settings = object_at(document, "turn_detection", path)
    path = f"{path}turn_detection."
    if settings is None or settings.get("type") == "none":
        return None
    kind = choice_at(settings, "type", path, ("server_vad", "semantic_vad"), "server_vad")
    return TurnDetection(
        semantic=kind == "semantic_vad",
        threshold=number_at(settings, "threshold", path, 0.0, 1.0, 0.5),
        prefix_padding_ms=integer_at(settings, "prefix_padding_ms", path, 0, 5_000, 300),
        silence_duration_ms=integer_at(settings, "silence_duration_ms", path, 50, 5_000, 500),
        eagerness=choice_at(settings, "eagerness", path, ("low", "medium", "high", "auto"), "auto"),
        create_response=flag_at(settings, "create_response", path, True),
        interrupt_response=flag_at(settings, "interrupt_response", path, True),
    )


def tools_of(documents: list[Any], path: str) -> tuple[Tool, ...]:
    """The function tools of a list. Raises: Refused."""
    return tuple(_tool(document, f"{path}[{index}]") for index, document in enumerate(documents))


def _tool(document: Any, path: str) -> Tool:
    if not isinstance(document, dict):
        raise wrong_type(path, "an object")
    choice_at(document, "type", f"{path}.", ("function",), "function")
    function = object_at(document, "function", f"{path}.") or document
    parameters = json.dumps(object_at(function, "parameters", f"{path}.") or {}, separators=(",", ":"))
    if len(parameters) > MAX_TOOL_CHARS:
        raise Refused("string_above_max_length", f"{path}.parameters is too long.", f"{path}.parameters")
    sentences = list_at(function, "sentences", f"{path}.", MAX_TOOL_SENTENCES)
    if not all(isinstance(sentence, str) and len(sentence) <= MAX_SENTENCE_CHARS for sentence in sentences):
        raise wrong_type(f"{path}.sentences", f"an array of strings of at most {MAX_SENTENCE_CHARS} characters")
    return Tool(
        name=string_at(function, "name", f"{path}.", limit=MAX_NAME_CHARS),
        description=string_at(function, "description", f"{path}.", limit=MAX_TOOL_CHARS, default=""),
        parameters=parameters,
        sentences=tuple(map(without_surrogates, sentences)),
    )


def session_json(config: SessionConfig, session: str, dialect: Dialect) -> Json:
    """The full, effective session object as this dialect writes it."""
    document: Json = {"id": session, "object": "realtime.session", "model": config.model}
    document |= {"instructions": config.instructions, "tool_choice": config.tool_choice}
    document["tools"] = [_tool_json(tool) for tool in config.tools]
    if dialect is Dialect.BETA:
        return document | _beta_json(config)
    document["type"] = "transcription" if config.transcribes_only else "realtime"
    document["output_modalities"] = ["audio"] if config.speaks else ["text"]
    document["max_output_tokens"] = config.max_output_tokens
    document["include"] = list(config.include) or None
    document["audio"] = {
        "input": {
            "format": format_json(config.input_format),
            "transcription": _transcription_json(config),
            "noise_reduction": None,
            "turn_detection": _turn_detection_json(config.turn_detection),
        },
        "output": {"format": format_json(config.output_format), "voice": config.voice, "speed": config.speed},
    }
    return document


def _beta_json(config: SessionConfig) -> Json:
    return {
        "modalities": ["text", "audio"] if config.speaks else ["text"],
        "voice": config.voice,
        "speed": config.speed,
        "input_audio_format": str(config.input_format.encoding),
        "output_audio_format": str(config.output_format.encoding),
        "input_audio_transcription": _transcription_json(config),
        "turn_detection": _turn_detection_json(config.turn_detection),
        "max_response_output_tokens": config.max_output_tokens,
        "temperature": 0.8,
    }


def format_json(audio_format: AudioFormat) -> Json:
    """An audio format as the current dialect writes it."""
    document: Json = {"type": _CURRENT_NAMES[audio_format.encoding]}
    if audio_format.encoding is Encoding.PCM16:
        document["rate"] = audio_format.rate_hz
    return document


def _transcription_json(config: SessionConfig) -> Json | None:
    if not config.transcription:
        return None
    document: Json = {"model": config.model}
    return document | ({"language": config.language} if config.language else {})


def _turn_detection_json(detection: TurnDetection | None) -> Json | None:
    if detection is None:
        return None
    document: Json = {"type": "semantic_vad" if detection.semantic else "server_vad"}
    if detection.semantic:
        document["eagerness"] = detection.eagerness
    else:
        document["threshold"] = detection.threshold
        document["prefix_padding_ms"] = detection.prefix_padding_ms
        document["silence_duration_ms"] = detection.silence_duration_ms
    document["create_response"] = detection.create_response
    document["interrupt_response"] = detection.interrupt_response
    return document


def _tool_json(tool: Tool) -> Json:
    document: Json = {"type": "function", "name": tool.name, "description": tool.description}
    document["parameters"] = json.loads(tool.parameters)
    return document | ({"sentences": list(tool.sentences)} if tool.sentences else {})
