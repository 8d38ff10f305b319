from __future__ import annotations

import pytest

from entendre.core.device import language_of
from entendre.core.errors import InvalidInputError
from entendre.core.tags import base_tag, first_tag, tags_of
from entendre.session.api import DeviceProfile


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("en", ("en",)),
        ("hi,en", ("hi", "en")),
        (" pt_BR , en ,", ("pt-BR", "en")),
        ("en,en,zh", ("en", "zh")),
        ("en,zh,ms,ta", ("en", "zh", "ms")),
        ("", ()),
    ],
)
def test_tags(text: str, tags: tuple[str, ...]) -> None:
    assert tags_of(text) == tags
    assert first_tag(text) == (tags[0] if tags else "")


def test_base() -> None:
    assert base_tag("pt_BR") == base_tag("pt-BR") == "pt"


def test_a_profile_has_a_first_language_and_all_of_them() -> None:
    both = DeviceProfile("d", "hi,en")
    assert (both.language, both.languages) == ("hi", ("hi", "en"))
    assert DeviceProfile("d", "th").languages == ("th",)


def test_a_changed_language_leaves_none_of_the_old_ones() -> None:
    from dataclasses import replace

    both = DeviceProfile("d", "hi,en")
    assert replace(both, room="attic").languages == ("hi", "en")
    assert replace(both, language="ta").languages == ("ta",)
    assert replace(both, language="ta,en").languages == ("ta", "en")


@pytest.mark.parametrize(("text", "kept"), [("", ""), ("en", "en"), ("hi, en-IN", "hi,en-IN")])
def test_languages_of_a_device(text: str, kept: str) -> None:
    assert language_of(text) == kept


@pytest.mark.parametrize("text", ["english", "en;zh", "en,,zh", "en,zh,ms,ta"])
def test_what_is_no_language_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        language_of(text)
