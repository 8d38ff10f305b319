from __future__ import annotations

import pytest

from entendre.speech.tongues import choose, spoken_tag


@pytest.mark.parametrize(
    ("likely", "tags", "chosen"),
    [
        ({"en": 0.9, "zh": 0.05}, ("zh-CN", "en-SG"), ("en-SG", "")),
        ({"en": 0.4, "zh": 0.3}, ("zh-CN", "en-SG"), ("zh-CN", "en-SG")),
        ({"en": 0.3, "es": 0.2}, ("en", "es"), ("en", "es")),
        ({"id": 0.6, "en": 0.2, "ms": 0.1}, ("en", "ms"), ("ms", "en")),
        ({"ur": 0.5, "hi": 0.3, "en": 0.2}, ("hi", "en"), ("hi", "")),
        ({"fr": 1.0}, ("ta", "en"), ("ta", "en")),
        ({"gl": 0.5, "pt": 0.2, "es": 0.2}, ("es", "pt"), ("es", "pt")),
    ],
)
def test_the_likeliest_that_is_spoken_here(
    likely: dict[str, float], tags: tuple[str, ...], chosen: tuple[str, str]
) -> None:
    assert choose(likely, tags) == chosen


def test_what_an_engine_elsewhere_wrote() -> None:
    assert spoken_tag("打开灯", "en,zh-CN") == "zh-CN"
    assert spoken_tag("whatever", "en,ms-MY", "ms") == "ms-MY"
    assert spoken_tag("whatever", "en") == "en"
    assert spoken_tag("whatever", "auto", "de") == "de"
