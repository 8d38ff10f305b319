"""Texts in the script of their language."""

from __future__ import annotations

from entendre.speech.chinese import simplified, writes_simplified
from entendre.speech.whisper_tokens import WhisperTokens, _byte_characters


def tokens_of(*pieces: bytes) -> WhisperTokens:
    """A vocabulary of these pieces of text, then the special tokens."""
    shown = _byte_characters()
    own = ["".join(shown[byte] for byte in piece) for piece in pieces]
    return WhisperTokens([*own, "<|endoftext|>", "<|startoftranscript|>", "<|transcribe|>", "<|notimestamps|>"])


def kept(scripts: set[str], *pieces: bytes) -> list[bytes]:
    outside = tokens_of(*pieces).of_other_scripts(scripts)
    return [piece for place, piece in enumerate(pieces) if place not in outside]


WORDS = [word.encode() for word in (" light", "é", " ışık", "свет", "लाइट", "بتی", "ไฟ", "灯", "‘don’t…’", "\u202b")]


def test_latin_letters_are_always_kept() -> None:
    latin = [WORDS[place] for place in (0, 1, 2, 8)]
    assert kept({"latin"}, *WORDS) == latin
    assert kept({"devanagari"}, *WORDS) == sorted([*latin, WORDS[4]], key=WORDS.index)
    assert kept({"thai", "han"}, *WORDS) == sorted([*latin, WORDS[6], WORDS[7]], key=WORDS.index)


def test_pieces_of_characters() -> None:
    first, second, rest = "ल".encode()[:2], "ไ".encode()[:2], "ल".encode()[2:]
    assert kept({"devanagari"}, first, second, rest, b"\xe0") == [first, rest]


def test_traditional_characters_become_simplified() -> None:
    assert simplified("設置一個十分鐘的定時器。") == "设置一个十分钟的定时器。"
    assert simplified("打开客厅的灯, on") == "打开客厅的灯, on"


def test_which_chinese_is_simplified() -> None:
    assert [
        tag for tag in ("zh", "zh-CN", "zh_SG", "cmn", "zh-TW", "zh-Hant", "yue", "en") if writes_simplified(tag)
    ] == [
        "zh",
        "zh-CN",
        "zh_SG",
        "cmn",
    ]
