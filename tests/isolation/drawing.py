"""Bodies and queries of an operation, drawn from its own types, with another world's ids wherever one may stand."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from two_worlds import World

from entendre.web.api.operation import Operation
from entendre.web.api.paging import cursor_of

COLLECTIONS = {
    "account": ("accounts",),
    "owner": ("accounts",),
    "partner": ("brands",),
    "brand": ("brands",),
    "product": ("products", "product-names"),
    "products": ("products", "product-names"),
    "device": ("devices",),
    "serial": ("serials",),
    "group": ("enrolment-groups",),
    "id": ("enrolment-groups", "telemetry"),
    "room": ("rooms",),
    "release": ("releases",),
    "rollout": ("rollouts",),
    "confirm": ("households", "accounts", "devices"),
    "client_id": ("oauth-clients",),
    "topics": ("devices",),
}
"""Fields that name things, and which."""
_FIXED: Mapping[str, Any] = {"wait_s": 0, "limit": 200, "from_s": 0, "to_s": 1e11, "timeout_s": 1, "approve": False}
_PLAIN = ("en", "IN", "07:30", "v1", "app", "history", "C", "mon", "stable", "UTC", "12345678")


class Drawing:
    """Draws for one test. `theirs`: whose ids are put in; `sent`: every word of theirs that was sent."""

    def __init__(self, rng: random.Random, mine: World, theirs: World) -> None:
        self._rng, self._mine, self._theirs = rng, mine, theirs
        self.sent: set[str] = set()

    def body(self, operation: Operation) -> Any:
        """A body as the operation's type wants it."""
        return self._of(operation.body)

    def query(self, operation: Operation) -> dict[str, str]:
        """A query as the operation's type wants it."""
        drawn = self._of(operation.query)
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in drawn.items()}

    def _of(self, kind: Any) -> Any:
        (schema,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
        return self._value(schema, parts, "")

    def _value(self, schema: dict[str, Any], parts: dict[str, Any], name: str) -> Any:
        if name in _FIXED:
            return _FIXED[name]
        if "$ref" in schema:
            return self._value(parts[schema["$ref"]], parts, name)
        if "anyOf" in schema:
            return self._value(self._rng.choice(schema["anyOf"]), parts, name)
        if "enum" in schema:
            return self._rng.choice(schema["enum"])
        match schema.get("type"):
            case "string":
                return self._text(schema, name)
            case "integer" | "number":
                low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
                high = min(schema.get("maximum", 1_000), low + 1_000)
                drawn = self._rng.choice([low, high, self._rng.uniform(low, high)])
                return int(drawn) if schema["type"] == "integer" else drawn
            case "boolean":
                return self._rng.random() < 0.5
            case "null":
                return None
            case "array":
                count = self._rng.randint(max(1, schema.get("minItems", 0)), 2)
                return [self._value(schema.get("items") or {}, parts, name) for _ in range(count)]
            case "object":
                return self._object(schema, parts)
        return {"id": self._id(""), "text": "plain"}

    def _object(self, schema: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
        if "properties" not in schema:
            inner = schema.get("additionalProperties")
            inner = inner if isinstance(inner, dict) else {}
            return {"en": self._value(inner, parts, "free")}
        required = schema.get("required", [])
        return {
            name: self._value(each, parts, name)
            for name, each in schema["properties"].items()
            if name in required or name in COLLECTIONS or self._rng.random() < 0.6
        }

    def _text(self, schema: dict[str, Any], name: str) -> str:
        least, most = schema.get("minLength", 0), schema.get("maxLength", 200)
        if schema.get("contentEncoding") == "base64":
            return base64.b64encode(self._rng.randbytes(64 if name == "signature" else 32)).decode()
        if name == "after":
            return cursor_of(self._id(""))
        if name == "query":
            return self._rng.choice(["", f"id = '{self._id('device')}'", f"household = '{self._theirs.household}'"])
        if "pattern" in schema:
            fitting = [each for each in _PLAIN if re.search(schema["pattern"], each)]
            return self._rng.choice(fitting or ["a"])
        if name in COLLECTIONS and self._rng.random() < 0.8:
            return self._id(name)[:most]
        if self._rng.random() < 0.15:
            return self._id("")[:most]
        return self._mine.word("drawn").ljust(least, "x")[:most]

    def _id(self, name: str) -> str:
        """An id of the things that a field names, theirs mostly; of anything of theirs without a field."""
        world = self._mine if name and self._rng.random() < 0.4 else self._theirs
        collections = COLLECTIONS.get(name) or tuple(world.ids)
        found = [each for collection in collections for each in world.ids.get(collection, ())]
        if name == "brand" and self._rng.random() < 0.3:
            found = world.ids["brand-names"]
        chosen = self._rng.choice(found or [world.brand])
        if world is self._theirs:
            self.sent.add(chosen)
        return chosen
