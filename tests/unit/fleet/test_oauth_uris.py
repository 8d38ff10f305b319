from __future__ import annotations

import pytest

from entendre.fleet.oauth import is_redirect_uri, may_return, origin_of

REGISTERED = ("https://app.example.org/back", "http://127.0.0.1/callback", "http://[::1]/callback", "com.example:/x")


@pytest.mark.parametrize("uri", [*REGISTERED, "http://127.0.0.1:51004/callback", "http://[::1]:9/callback"])
def test_a_browser_is_sent_back_to_what_is_registered(uri: str) -> None:
    assert may_return(uri, REGISTERED)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://app.example.org/back/",
        "https://app.example.org/back?x=1",
        "https://app.example.org:444/back",
        "https://app.example.org.evil.example/back",
        "https://app.example.org@evil.example/back",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/callback?x=1",
        "http://127.0.0.2:51004/callback",
        "http://localhost:51004/callback",
        "http://127.0.0.1:1@evil.example/callback",
        "http://127.0.0.1\\@evil.example/callback",
        "https://127.0.0.1:51004/callback",
        "com.example:/y",
        "http://127.0.0.1:51004/callback\n",
    ],
)
def test_and_to_nothing_else(uri: str) -> None:
    assert not may_return(uri, REGISTERED)


@pytest.mark.parametrize("uri", [*REGISTERED, "http://localhost/x", "https://a.example/x?y=1"])
def test_what_may_be_registered(uri: str) -> None:
    assert is_redirect_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        *("http://a.example/x", "javascript:alert(1)", "data:text/html,x", "https:///x", "https://a@b/x", "//a/x"),
        *("https://a.example/#x", "https://a.example/" + "x" * 500, "https://a example/", "file:///etc/passwd"),
    ],
)
def test_what_may_not(uri: str) -> None:
    assert not is_redirect_uri(uri)


def test_origins_for_a_policy() -> None:
    assert [origin_of(each) for each in REGISTERED] == [
        "https://app.example.org",
        "http://127.0.0.1",
        "http://[::1]",
        "com.example:",
    ]
