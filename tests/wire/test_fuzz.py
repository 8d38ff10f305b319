"""The short fuzzing of every codec, and that the fuzzer sees what it looks for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from entendre.bench import fuzz
from entendre.bench.fuzz import FuzzOptions, damaged, measure_fuzz
from entendre.bench.fuzz_targets import TARGETS, Target
from entendre.core.errors import InvalidInputError

INPUTS = 20_000
WIRE = Path(__file__).resolve().parents[2] / "src" / "entendre" / "wire"


@pytest.mark.slow
@pytest.mark.parametrize("codec", list(TARGETS))
def test_no_codec_raises_or_grows(codec: str) -> None:
    report = measure_fuzz(FuzzOptions(INPUTS, (codec,), seed=7), lambda line: None)
    assert report["raised"] == []
    assert report["codecs"][codec]["inputs"] == INPUTS


def test_every_protocol_is_fuzzed() -> None:
    kinds = {module.stem.split("_")[0] for module in WIRE.glob("*.py")} - {"", "failure", "lenient"}
    assert kinds == {name.split("_")[0] for name in TARGETS}


@pytest.mark.parametrize("codec", list(TARGETS))
def test_every_target_takes_its_own_seeds(codec: str) -> None:
    target = TARGETS[codec]
    feed = target.make()
    assert all(feed(seed) <= target.held_limit_bytes for seed in target.seeds)


def test_the_same_seed_gives_the_same_inputs_and_they_differ_from_each_other() -> None:
    seeds = TARGETS["mcp"].seeds
    first, second = (list(islice(damaged(seeds, random.Random(3)), 500)) for _ in range(2))
    assert first == second
    assert len(set(first)) > 350
    parsed = 0
    for data in first:
        try:
            json.loads(data)
            parsed += 1
        except (ValueError, RecursionError):
            continue
    assert 100 < parsed < 400, "some damage must stay readable, and some must not"


def feeding(feed: Callable[[bytes], int], limit_bytes: int = 0) -> dict[str, Target]:
    return {"bad": Target(lambda: feed, (b'{"a":1}',), limit_bytes)}


def test_a_codec_that_raises_is_reported_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def feed(data: bytes) -> int:
        if b"\xff" in data:
            raise KeyError("a")
        return 0

    monkeypatch.setattr(fuzz, "TARGETS", feeding(feed))
    monkeypatch.setattr(fuzz, "_growth_kib", lambda *_: 0.0)
    report = measure_fuzz(FuzzOptions(2_000), lambda line: None)
    assert 0 < len(report["raised"]) <= fuzz.MAX_SHOWN_FAILURES
    assert report["raised"][0]["error"] == "KeyError: 'a'"
    assert b"\xff" in bytes.fromhex(report["raised"][0]["input"])


def test_a_codec_that_holds_or_keeps_too_much_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []

    def feed(data: bytes) -> int:
        kept.append(bytes(100))
        return 11

    monkeypatch.setattr(fuzz, "TARGETS", feeding(feed, 10))
    errors = [each["error"] for each in measure_fuzz(FuzzOptions(10), lambda line: None)["raised"]]
    assert errors[0] == "held 11 bytes"
    assert errors[1].startswith("grew by ")


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(InvalidInputError, match="no codec nope"):
        measure_fuzz(FuzzOptions(1, ("nope",)), lambda line: None)
