from __future__ import annotations

import pytest

from entendre.speech.mandarin import mandarin_sounds, syllable
from entendre.speech.written import for_voice, sentences


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("es-MX", "21 °C, 20 %, 1,234.5 a las 7:30", "21 grados, 20 por ciento, 1234 punto 5 a las 7:30"),
        ("es-ES", "1.234,5 y 1 °C", "1234 coma 5 y 1 grado"),
        ("pt-BR", "25.11.2026, 7:30, 1.234,5", "25.11.2026, 7:30, 1234 vírgula 5"),
        ("ru", "21 °C, 22 °C, 25 °C, 11 %, 1 234,5", "21 градус, 22 градуса, 25 градусов, 11 процентов, 1234,5"),
        ("ru", "1,5 °C в 7:30", "1,5 градуса в 7:30"),
        ("tr", "%20, 20 %, 1.234,5", "yüzde 20, yüzde 20, 1234 virgül 5"),
        ("zh-CN", "21°C，20%，7:30", "21 度，百分之 20，7:30"),
        ("hi", "1,23,456.5, 20%", "123456 दशमलव 5, 20 प्रतिशत"),
        ("ms", "-3 °C", "-3 darjah"),
        ("fil", "20 na minuto ng mga ilaw", "dalawang pu na minuto nang manga ilaw"),
        ("th", "20% 21 °C", "20 เปอร์เซ็นต์ 21 องศา"),
        ("en", "20 %, 21 °C", "20 %, 21 degrees"),
        ("fr", "20 %, 1,5", "20 %, 1,5"),
    ],
)
def test_signs_and_numbers(language: str, text: str, said: str) -> None:
    assert for_voice(text, language) == said


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("It is 7:30. It rains 3.5 mm!", ["It is 7:30.", "It rains 3.5 mm!"]),
        ("好的。现在是7:30！还有吗？", ["好的。", "现在是7:30！", "还有吗？"]),
        ("एक। दो।", ["एक।", "दो।"]),
        ("สวัสดี ครับ", ["สวัสดี ครับ"]),
        ("ก" * 100 + " " + "ข" * 100, ["ก" * 100, "ข" * 100]),
        ("  ", []),
    ],
)
def test_sentences(text: str, pieces: list[str]) -> None:
    assert list(sentences(text)) == pieces


@pytest.mark.parametrize(
    ("pinyin", "sounds"),
    [("da3", "ta↓"), ("chu2", "ꭧʰu↗"), ("fang2", "fa↗ŋ"), ("yuan2", "ɥɛ↗n"), ("wo3", "wo↓"), ("shi4", "ʂɨ↘"),
     ("lv4", "ly↘"), ("ju2", "ʨy↗"), ("liu4", "ljou↘"), ("wei2", "wei↗"), ("er4", "ɚ↘"), ("yong4", "jʊ↘ŋ"),
     ("que1", "ʨʰɥe→"), ("de5", "tɤ"), ("un", "wən"), ("?", "")],
)  # fmt: skip
def test_syllables_of_pinyin(pinyin: str, sounds: str) -> None:
    assert syllable(pinyin) == sounds


def test_chinese_with_english_in_it() -> None:
    pytest.importorskip("pypinyin")
    assert list(mandarin_sounds("打开TV，10分钟")) == [("ta↓kʰai→", True), ("TV, ", False), ("ʂɨ↗fə→n ꭧʊ→ŋ", True)]
