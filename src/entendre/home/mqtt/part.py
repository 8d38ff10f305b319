"""One entity as traits: how its payloads become values and values its commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from entendre.core.actions import Trait, TraitValue
from entendre.home.mqtt.discovery import DiscoveryError
from entendre.home.mqtt.templates import UnsupportedTemplateError, value_template

Values = Mapping[Trait, TraitValue]
Publish = tuple[str, str]
"""A topic and its payload."""

Read = Callable[[str], Values]
Write = Callable[[TraitValue, Values], tuple[Publish, ...]]
"""From a value and the appliance's present state to what is published."""

Convert = Callable[[str], TraitValue | None]


@dataclass(frozen=True, slots=True)
class Reader:
    """What a topic's payloads say."""

    topic: str
    read: Read


@dataclass(frozen=True, slots=True)
class Writer:
    """How a trait is commanded. `echoed`: the appliance reports what became of it."""

    write: Write
    echoed: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """An entity's share of an appliance. `primary`: it makes an appliance of its own."""

    kind: str
    primary: bool = True
    readers: tuple[Reader, ...] = ()
    writers: Mapping[Trait, Writer] = field(default_factory=dict)
    traits: frozenset[Trait] = frozenset()
    modes: tuple[str, ...] = ()

    def plus(self, other: Part) -> Part:
        """This part with another's traits, where it has none of its own."""
        fresh = {trait: writer for trait, writer in other.writers.items() if trait not in self.traits}
        kept = tuple(_only(reader, other.traits - self.traits) for reader in other.readers)
        return replace(
            self,
            readers=self.readers + kept,
            writers={**self.writers, **fresh},
            traits=self.traits | other.traits,
            modes=self.modes or other.modes,
        )


def _only(reader: Reader, traits: frozenset[Trait]) -> Reader:
    read = reader.read
    return Reader(reader.topic, lambda payload: {key: value for key, value in read(payload).items() if key in traits})


class Config:
    """Typed access to an entity's settings.

    Raises: DiscoveryError when a setting is missing or of the wrong type.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def topic(self, name: str) -> str | None:
        """A topic, if there is one."""
        value = self._values.get(name)
        return value if isinstance(value, str) else None

    def need(self, name: str) -> str:
        """A topic that must be there."""
        topic = self.topic(name)
        if topic is None:
            raise DiscoveryError(f"needs {name}")
        return topic

    def text(self, name: str, default: str) -> str:
        """A text, or any scalar as text."""
        value = self._values.get(name, default)
        return str(value) if isinstance(value, str | bool | int | float) else default

    def number(self, name: str, default: float) -> float:
        """A number, or a text that is one."""
        try:
            return float(self._values.get(name, default))
        except (TypeError, ValueError):
            return default

    def flag(self, name: str) -> bool:
        """A boolean; missing is false."""
        value = self._values.get(name)
        return value is True or str(value).lower() == "true"

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; missing is empty."""
        value = self._values.get(name)
        return tuple(str(each)[:64] for each in value[:64]) if isinstance(value, list) else ()

    def template(self, name: str) -> object:
        """A template's source, or None."""
        return self._values.get(name)


def reader(config: Config, topic: str, template: str, trait: Trait, convert: Convert) -> tuple[Reader, ...]:
    """A reader of one trait, if the entity has the topic.

    Raises: DiscoveryError for a template that is not supported.
    """
    source = config.topic(topic)
    if source is None:
        return ()
    decode = checked(config.template(template))

    def read(payload: str) -> Values:
        text = decode(payload)
        value = None if text is None else convert(text)
        return {} if value is None else {trait: value}

    return (Reader(source, read),)


def checked(template: object) -> Callable[[str], str | None]:
    """A value template. Raises: DiscoveryError."""
    try:
        return value_template(template)
    except UnsupportedTemplateError as error:
        raise DiscoveryError(str(error)) from error


def number_of(text: str) -> float | None:
    """A number in a payload; None for anything else, such as "unavailable"."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) < 1e9 else None


def either(yes: str, no: str) -> Convert:
    """True or False for two payloads, whatever their case ("False" of a template is `false` in JSON); else None."""
    yes, no = yes.casefold(), no.casefold()

    def convert(text: str) -> TraitValue | None:
        folded = text.casefold()
        if folded == yes:
            return True
        return False if folded == no else None

    return convert


def percent_of(low: float, high: float) -> Convert:
    """A device's range as percent, either way round."""

    def convert(text: str) -> TraitValue | None:
        value = number_of(text)
        if value is None or high == low:
            return None
        return round(min(max((value - low) / (high - low), 0), 1) * 100)

    return convert


def scaled(percent: TraitValue, low: float, high: float) -> int:
    """A percent in a device's range."""
    return round(low + (high - low) * float(percent) / 100)
