"""The settings as documentation: their keys, variables, types, defaults and meanings."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, get_type_hints

from entendre.config.sections import SECTIONS
from entendre.config.values import kind_name

ENVIRONMENT_PREFIX = "ENTENDRE_"


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One setting as documented."""

    key: str
    variable: str
    kind: str
    default: Any
    text: str
    secret: bool


def describe_settings() -> list[SettingDescription]:
    """Every setting in the order of the file, for the documentation and `doctor`."""
    types = kinds()
    return [
        SettingDescription(
            key=f"{section}.{each.name}",
            variable=f"{ENVIRONMENT_PREFIX}{section}_{each.name}".upper(),
            kind=kind_name(types[f"{section}.{each.name}"]),
            default=each.default,
            text=each.metadata["text"],
            secret=each.metadata["secret"],
        )
        for section, kind in SECTIONS.items()
        for each in fields(kind)
    ]


def settings_table() -> str:
    """The reference table of docs/configuration.md, in Markdown."""
    lines = ["| setting | environment | type | default | meaning |", "|---|---|---|---|---|"]
    lines += [
        f"| `{each.key}` | `{each.variable}` | {each.kind} | {_shown_default(each.default)} | {each.text} |"
        for each in describe_settings()
    ]
    return "\n".join(lines) + "\n"


def kinds() -> dict[str, Any]:
    """The type of every setting, by its key."""
    return {
        f"{section}.{name}": hint for section, kind in SECTIONS.items() for name, hint in get_type_hints(kind).items()
    }


def _shown_default(value: Any) -> str:
    if value is None or value == () or value == "":
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"
