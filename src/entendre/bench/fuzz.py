"""Feeds every codec bytes that no honest peer would send: none may raise, and none may keep more than it should."""

from __future__ import annotations

import gc
import random
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from entendre.bench.fuzz_targets import TARGETS, Target
from entendre.core.errors import InvalidInputError

DEFAULT_INPUTS = 1_000_000
NOISE_SHARE = 0.1
"""Of inputs that are plain noise; the others are valid bytes, damaged."""
TOKEN_SHARE = 0.5
"""Of JSON's damage that replaces whole values, so that it can still be parsed and what reads the values is reached."""
HUGE_SHARE = 0.0005
MAX_INPUT_BYTES = 2_048
MAX_HUGE_BYTES = 256 * 1024
"""Beyond what most codecs accept as one message."""
MAX_SHOWN_FAILURES = 5
TRACED_INPUTS = 4_000
"""Fed twice with every allocation traced; the first time warms up."""
MAX_GROWTH_KIB = 64.0
"""That a codec may hold more after the second time: caches fill, lists of tools change."""

_EDGES = (
    *(
        b"\0",
        b"\1",
        b"\x7f",
        b"\x80",
        b"\xfc",
        b"\xfe",
        b"\xff",
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\n",
    ),
    *(b"99999999999999999999", b"\\ud800", b"\xed\xa0\x80", b"\xf0\x9f\x99\x82", b"\xff\xff\xff\xff", b"\0\0\0\0"),
)
_VALUES = (
    *(b"null", b"true", b"false", b"0", b"-1", b"1", b"1.5", b"1e999", b"NaN", b"9" * 25, b"9" * 5_000, b"2147483648"),
    *(
        b'""',
        b'"\\ud800"',
        b'"\\u0000"',
        b'"x"',
        b'"' + b"x" * 300 + b'"',
        b'"' + "ไฟ".encode() * 90 + b'"',
        b'"24000"',
    ),
    *(b"[]", b"{}", b"[[]]", b'{"a":{}}', b"[" * 70 + b"]" * 70, b'{"a":' * 70 + b"1" + b"}" * 70, b"[" * 5_000),
    b"[" + b",".join([b'{"name":"a"}'] * 200) + b"]",
)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^"\[\]{}:,]+')


@dataclass(frozen=True, slots=True)
class FuzzOptions:
    """How many inputs each codec is fed, which codecs (all if none), and the seed of chance."""

    inputs: int = DEFAULT_INPUTS
    codecs: tuple[str, ...] = ()
    seed: int = 1


def measure_fuzz(options: FuzzOptions, show: Callable[[str], None]) -> dict[str, Any]:
    """What each codec did with its inputs; `raised` lists every failure, and is empty when all is well."""
    unknown = set(options.codecs) - set(TARGETS)
    if unknown:
        raise InvalidInputError(f"There is no codec {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}.")
    codecs: dict[str, dict[str, Any]] = {}
    raised: list[dict[str, str]] = []
    for name in options.codecs or tuple(TARGETS):
        codecs[name], failures = _fuzz(name, TARGETS[name], options)
        raised += failures
        show(f"{name}: {codecs[name]['inputs_per_s']} inputs/s, {len(failures)} failures")
    return {"seed": options.seed, "raised": raised, "codecs": codecs}


def damaged(seeds: Sequence[bytes], chance: random.Random) -> Iterator[bytes]:
    """Endless inputs: noise, and valid bytes cut, joined, repeated, flipped and overwritten."""
    pick = chance.random
    tokens = [_TOKEN.findall(seed) for seed in seeds if seed[:1] == b"{"]
    while True:
        if pick() < NOISE_SHARE:
            yield chance.randbytes(int(pick() * 200))
            continue
        if tokens and pick() < TOKEN_SHARE:
            yield _with_other_values(tokens[int(pick() * len(tokens))], tokens, chance)
            continue
        data = bytearray(seeds[int(pick() * len(seeds))])
        for _ in range(int(pick() * 8)):
            _damage(data, seeds, chance)
        if pick() < HUGE_SHARE:
            yield bytes(data * (1 + int(pick() * MAX_HUGE_BYTES / (1 + len(data)))))
        else:
            yield bytes(data[:MAX_INPUT_BYTES])


def _with_other_values(tokens: list[bytes], others: list[list[bytes]], chance: random.Random) -> bytes:
    """The same JSON, some of whose tokens are edge values or come from elsewhere."""
    pick = chance.random
    changed = list(tokens)
    for _ in range(1 + int(pick() * 3)):
        at = int(pick() * len(changed))
        other = others[int(pick() * len(others))]
        values = other if pick() < 0.3 else _VALUES
        if changed[at] not in b"{}[]:," or pick() < 0.05:
            changed[at] = values[int(pick() * len(values))]
    return b"".join(changed)


def _damage(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    pick = chance.random
    at = int(pick() * (len(data) + 1))
    kind = int(pick() * 6)
    if kind == 0 and data:
        data[at % len(data)] ^= 1 << int(pick() * 8)
    elif kind == 1:
        edge = _EDGES[int(pick() * len(_EDGES))]
        data[at : at + len(edge)] = edge
    elif kind == 2:
        data[at:at] = _EDGES[int(pick() * len(_EDGES))]
    elif kind == 3:
        del data[at : at + int(pick() * 16)]
    elif kind == 4:
        data[at:at] = data[at : at + int(pick() * 64)] * (1 + int(pick() * 4))
    else:
        data[at:] = seeds[int(pick() * len(seeds))]


def _fuzz(name: str, target: Target, options: FuzzOptions) -> tuple[dict[str, Any], list[dict[str, str]]]:
    inputs = damaged(target.seeds, random.Random(f"{name} {options.seed}"))
    feed, failures, most_held = target.make(), list[dict[str, str]](), 0
    begun_s = time.perf_counter()
    for _ in range(options.inputs):
        data = next(inputs)
        try:
            held = feed(data)
        except Exception as error:  # noqa: BLE001 — what a codec raises is what is looked for
            if len(failures) < MAX_SHOWN_FAILURES:
                failures.append({"codec": name, "error": f"{type(error).__name__}: {error}", "input": data.hex()})
            feed = target.make()
            continue
        most_held = max(most_held, held)
    took_s = time.perf_counter() - begun_s
    growth_kib = _growth_kib(target, inputs)
    if most_held > target.held_limit_bytes:
        failures.append({"codec": name, "error": f"held {most_held} bytes", "input": ""})
    if growth_kib > MAX_GROWTH_KIB:
        failures.append({"codec": name, "error": f"grew by {growth_kib} KiB", "input": ""})
    report = {"inputs": options.inputs, "inputs_per_s": round(options.inputs / max(took_s, 1e-9))}
    return report | {"most_held_bytes": most_held, "growth_kib": growth_kib}, failures


def _growth_kib(target: Target, inputs: Iterator[bytes]) -> float:
    """Memory that a codec holds more after as many inputs again, as the interpreter counts it."""
    feed = target.make()
    tracemalloc.start()
    try:
        used = [_used_after(feed, inputs) for _ in range(2)]
    finally:
        tracemalloc.stop()
    return round(max(0, used[1] - used[0]) / 1024, 1)


def _used_after(feed: Callable[[bytes], int], inputs: Iterator[bytes]) -> int:
    for _ in range(TRACED_INPUTS):
        feed(next(inputs))
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
