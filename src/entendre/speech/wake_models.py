"""Wake word models that devices may download: those of the installed microWakeWord package, as they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

MICRO = "micro"


@dataclass(frozen=True, slots=True)
class WakeModel:
    """One wake word: its manifest, and the model that the manifest names."""

    id: str
    phrase: str
    languages: tuple[str, ...]
    manifest: Path
    model: Path
    size_bytes: int
    sha256: str


def wake_models() -> tuple[WakeModel, ...]:
    """Every model there is; none where the package is missing."""
    try:
        folder = resources.files("pymicro_wakeword").joinpath("models")
    except ImportError:
        return ()
    return tuple(_models(Path(str(folder))))


def _models(folder: Path) -> Iterator[WakeModel]:
    """Models whose file is named as their manifest: devices look for the one beside the other under one name."""
    for manifest in sorted(folder.glob("*.json")):
        described = json.loads(manifest.read_text(encoding="utf-8"))
        model = manifest.with_suffix(".tflite")
        if described.get("type") != MICRO or described.get("model") != model.name or not model.is_file():
            continue
        data = model.read_bytes()
        languages = tuple(described.get("trained_languages", ()))
        digest = hashlib.sha256(data).hexdigest()
        yield WakeModel(manifest.stem, described["wake_word"], languages, manifest, model, len(data), digest)
