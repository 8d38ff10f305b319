"""The operations described in OpenAPI 3.1: made from them alone, and the same bytes for the same operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, Literal

import msgspec
from msgspec import Struct

from entendre.fleet.access import Permission
from entendre.web.api.decoding import MAX_IDEMPOTENCY_KEY_CHARS, MAX_PATH_VALUE_CHARS
from entendre.web.api.operation import JSON, Operation
from entendre.web.faults import STATUSES

ROOT = "/api/v1"
REF = "#/components/schemas/{name}"

_ANY = ("invalid_input", "forbidden", "throttled", "overloaded", "store_failed", "not_ready")
"""What every operation may answer: it reads a path and a query, and is limited; browsers ask it; it has a database."""
_MEANINGS = {
    304: "Not changed since the ETag of If-None-Match.",
    400: "Malformed; `param` names what.",
    401: "No credentials, or unknown ones.",
    403: "The role is too small, or a page of another site asked.",
    404: "There is no such thing, or none that the caller may know of.",
    408: "The body took too long.",
    409: "It contradicts what is there.",
    412: "If-Match names a version that is no longer the current one.",
    413: "Larger than the stated limit.",
    415: "Another content type than the one stated.",
    416: "A range that the content does not have.",
    429: "Too many requests: ask again after Retry-After seconds.",
    503: "The database can't be reached, or this server does not keep that.",
    504: "The device did not answer in time.",
}


class ErrorDetail(Struct):
    """What went wrong: a text for people, and a code for programs."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None
    code: str


class Error(Struct):
    """The one shape of errors."""

    error: ErrorDetail


def described(operations: Iterable[Operation]) -> bytes:
    """The description as JSON."""
    operations = tuple(operations)
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Entendre",
            "version": version("entendre"),
            "summary": "Brands, devices, households and people of an assistant cloud.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ROOT}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _security_schemes()},
    }
    return msgspec.json.encode(document)


def codes_of(operation: Operation) -> tuple[str, ...]:
    """Every error code that an operation may answer, without doubles."""
    codes = [*_ANY]
    if operation.permission is not None:
        codes += ["unauthorized"]
    if "{" in operation.path:
        codes += ["not_found"]
    if operation.takes_json:
        codes += ["timeout", "too_large", "unsupported_media_type"]
    if operation.idempotent:
        codes += ["conflict"]
    if operation.etag and operation.method != "GET":
        codes += ["precondition_failed"]
    return tuple(dict.fromkeys([*codes, *operation.errors]))


class _Schemas:
    """Schemas of every type that operations name; those of queries are taken apart into parameters."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        bodies = [kind for each in operations for kind in (each.body, each.reply, each.error_body) if kind is not None]
        queries = [each.query for each in operations if each.query is not None]
        types = [*dict.fromkeys([*bodies, Error]), *dict.fromkeys(queries)]
        found, components = msgspec.json.schema_components(types, ref_template=REF)
        self._of = dict(zip(types, found, strict=True))
        self._queries = {kind: components[_name_of(self._of[kind])] for kind in queries}
        taken = {_name_of(self._of[kind]) for kind in queries} - {_name_of(self._of[kind]) for kind in bodies}
        self.components = {name: components[name] for name in sorted(components) if name not in taken}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type."""
        return self._of[kind]

    def parameters(self, kind: type) -> list[dict[str, Any]]:
        """The fields of a query's type as parameters."""
        schema = self._queries[kind]
        required = schema.get("required", [])
        return [
            {"name": name, "in": "query", "required": name in required, "schema": _without_null(each)}
            for name, each in schema["properties"].items()
        ]


def _name_of(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query can't say null: what may be absent is simply not required."""
    schema = {name: each for name, each in schema.items() if not (name == "default" and each is None)}
    kinds = [each for each in schema.pop("anyOf", []) if each != {"type": "null"}]
    if not kinds:
        return schema
    return schema | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation, schemas),
        "responses": _responses(operation, schemas),
        "security": _security(operation.permission),
    }
    if operation.permission is not None:
        shown["x-permission"] = operation.permission.value
    if operation.body is not None or operation.accepts != JSON:
        kind = {"type": "string", "format": "binary"} if operation.body is None else schemas.of(operation.body)
        shown["requestBody"] = {"required": operation.needs_body, "content": {operation.accepts: {"schema": kind}}}
    return shown


def _parameters(operation: Operation, schemas: _Schemas) -> list[dict[str, Any]]:
    text = {"type": "string", "minLength": 1, "maxLength": MAX_PATH_VALUE_CHARS}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": text}
        for name in re.findall(r"\{(\w+)(?::[^}]*)?\}", operation.path)
    ]
    if operation.query is not None:
        found += schemas.parameters(operation.query)
    if operation.idempotent:
        key = {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY_CHARS, "pattern": "^[!-~]+$"}
        found.append(_header("Idempotency-Key", key, "The same key again does nothing again and answers the same."))
    if operation.etag:
        name = "If-None-Match" if operation.method == "GET" else "If-Match"
        tag = {"type": "string", "pattern": r'^(\*|"[!#-~]*")$'}
        found.append(_header(name, tag, "An ETag in quotation marks, or *."))
    return found


def _header(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": text}


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done." if operation.method != "GET" else "What was asked for."}
    if operation.reply is not None:
        success["content"] = {operation.produces: {"schema": schemas.of(operation.reply)}}
    elif operation.produces != JSON:
        success["content"] = {operation.produces: {}}
    if operation.etag and operation.success != 204:
        success["headers"] = {"ETag": {"schema": {"type": "string"}}}
    found = {str(operation.success): success}
    if operation.etag and operation.method == "GET":
        found["304"] = {"description": _MEANINGS[304]}
    by_status: dict[int, list[str]] = {}
    for code in codes_of(operation):
        by_status.setdefault(STATUSES[code], []).append(code)
    for status, codes in sorted(by_status.items()):
        found[str(status)] = _failure(status, codes, operation, schemas)
    return found


def _failure(status: int, codes: list[str], operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    kind = schemas.of(Error)
    if operation.error_body is not None and status in (400, 401):
        kind = {"anyOf": [schemas.of(operation.error_body), kind]}
    shown: dict[str, Any] = {
        "description": f"{_MEANINGS[status]} Codes: {', '.join(f'`{code}`' for code in codes)}.",
        "content": {JSON: {"schema": kind}},
    }
    if status == 429:
        shown["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return shown


def _security(permission: Permission | None) -> list[dict[str, list[str]]]:
    if permission is None:
        return []
    if permission is Permission.DEVICE_SELF:
        return [{"device": []}]
    if permission is Permission.ACCOUNT_SELF:
        return [{"person": []}]
    if permission.value.startswith("region."):
        return [{"key": []}]
    return [{"key": []}, {"person": []}]


def _security_schemes() -> dict[str, Any]:
    authorize, token = "/oauth/authorize", f"{ROOT}/oauth/token"
    flow = {"authorizationUrl": authorize, "tokenUrl": token, "refreshUrl": token, "scopes": {}}
    return {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: whoever runs the server, or staff of a brand. Needless on loopback by default.",
        },
        "person": {
            "type": "oauth2",
            "description": "An account: by code with PKCE, or by the device flow of RFC 8628 (/oauth/device).",
            "flows": {"authorizationCode": flow},
        },
        "device": {"type": "http", "scheme": "bearer", "description": "The token that a device was given."},
    }
