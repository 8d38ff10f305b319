"""The pages on which people sign in, made on the server: they need no script, and load nothing but a style sheet."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from aiohttp import hdrs, web

from entendre.core.errors import EntendreError
from entendre.fleet.oauth import CLI
from entendre.ports.accounts import OAuthClient

FALLBACK = "en"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
MESSAGES = {"unauthorized": "wrong_password", "not_found": "no_such_code", "throttled": "too_often"}
ALSO = {"tl": "fil"}
"""Older tags that browsers still send."""
MAX_LANGUAGES = 20
"""Entries of Accept-Language that are looked at."""


class Form:
    """A page in the language of a request, `?lang=` before the browser's. Texts that go into it are escaped here."""

    def __init__(self, request: web.Request) -> None:
        asked = _base_of(request.query.get("lang", ""))
        self._chosen = asked if asked in _texts() else None
        self.language = self._chosen or _language_of(request)
        self._texts = _texts()[self.language]
        self._parts: list[str] = []

    def text(self, name: str, **values: object) -> str:
        """A text of the page's language."""
        return self._texts[name].format(**values)

    def client(self, client: OAuthClient) -> str:
        """What a program is called: ours in the page's language, others as they were registered."""
        return self.text("cli") if client.id == CLI.id else client.name

    def say(self, name: str, kind: str = "", **values: object) -> None:
        """Add a paragraph."""
        role = ' role="alert"' if kind == "wrong" else ""
        self._parts.append(f'<p class="{kind}"{role}>{escape(self.text(name, **values))}</p>')

    def open(self, action: str, hidden: Mapping[str, str]) -> None:
        """Begin the form; it stays in the language that was asked for."""
        query = f"?lang={self._chosen}" if self._chosen else ""
        self._parts.append(f'<form method="post" action="{escape(action + query)}">')
        self._parts += [
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in hidden.items()
        ]

    def code(self, value: str) -> None:
        """Ask for a user code."""
        self._parts.append(
            f'<label>{escape(self.text("code"))}<input class="code" name="user_code" value="{escape(value)}"'
            ' inputmode="numeric" autocomplete="one-time-code" maxlength="20" required autofocus></label>'
        )

    def credentials(self, login: str) -> None:
        """Ask for a login and a password."""
        focus = ("", " autofocus") if login else (" autofocus", "")
        self._parts.append(
            f'<label>{escape(self.text("login"))}<input name="login" value="{escape(login)}" autocomplete="username"'
            f' autocapitalize="none" spellcheck="false" maxlength="254"{focus[0]}></label>'
            f'<label>{escape(self.text("password"))}<input name="password" type="password"'
            f' autocomplete="current-password" maxlength="200"{focus[1]}></label>'
        )

    def close(self, *buttons: str) -> None:
        """End the form with its buttons; the first is what is usually wanted."""
        shown = [
            f'<button name="decision" value="{name}"{" class=quiet" if at else ""}>{escape(self.text(name))}</button>'
            for at, name in enumerate(buttons)
        ]
        self._parts.append(f'<div class="choice">{"".join(shown)}</div></form>')

    def page(self, title: str, status: int = 200, sends_to: str = "") -> web.Response:
        """The whole page. `sends_to`: the origin that its form may end up at."""
        values = {"language": self.text("tag"), "title": escape(self.text(title)), "content": "\n".join(self._parts)}
        headers = {
            "Content-Security-Policy": f"{POLICY} {sends_to}".rstrip(),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",  # with none at all, browsers hide the origin of the form from us
            "Cache-Control": "no-store",
        }
        return web.Response(
            status=status, text=_template().substitute(values), content_type="text/html", headers=headers
        )

    def wrong(self, error: EntendreError) -> int:
        """Say what went wrong; the status of the page."""
        self.say(MESSAGES.get(error.code, "unavailable"), "wrong")
        return {"unauthorized": 401, "not_found": 404, "throttled": 429}.get(error.code, 503)


@cache
def _texts() -> dict[str, dict[str, str]]:
    folder = files("entendre.web") / "forms"
    found = {each.name: each for each in folder.iterdir() if re.fullmatch(r"account\.[\w-]+\.json", each.name)}
    return {name[8:-5]: json.loads(found[name].read_text("utf-8")) for name in sorted(found)}


@cache
def _template() -> Template:
    return Template((files("entendre.web") / "forms" / "form.html").read_text("utf-8"))


def _language_of(request: web.Request) -> str:
    """The first language of Accept-Language that there are texts in; browsers send them in order of preference."""
    wanted = request.headers.get(hdrs.ACCEPT_LANGUAGE, "").split(",")[:MAX_LANGUAGES]
    tags = (_base_of(each.partition(";")[0]) for each in wanted)
    return next((tag for tag in tags if tag in _texts()), FALLBACK)


def _base_of(tag: str) -> str:
    """The language of a tag, without its script and country."""
    base = tag.strip().lower().replace("_", "-").partition("-")[0]
    return ALSO.get(base, base)
