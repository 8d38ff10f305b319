"""The catalogue and how models are fetched: nothing counts unless its checksum is right."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from entendre.core.errors import InvalidInputError, ModelError
from entendre.speech import fetch
from entendre.speech.catalogue import (
    Model,
    ModelFile,
    Source,
    better_recognizers,
    catalogue,
    find_model,
    locate,
    require,
    verify,
)

GOOD = b"weights" * 50_000


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def model(*, pinned: bool = True, kind: str = "hub") -> Model:
    file = ModelFile("model.bin", len(GOOD), sha(GOOD)) if pinned else ModelFile("model.bin")
    source = Source(kind, repository="owner/name", text="ask the operator")
    return Model("small", "recognizer", "whisper", frozenset({"en"}), "MIT", "A model.", (file,), (source,))


@contextmanager
def refused(because: str) -> Iterator[None]:
    """A ModelError that says so, to the user or in its detail."""
    with pytest.raises(ModelError) as caught:
        yield
    assert because in f"{caught.value.public_message} {caught.value.detail}"


def quiet(name: str, done: int, size: int | None) -> None:
    """Progress for nobody."""


class Hub:
    """A hub on loopback that can be cut off, lie, or serve ranges."""

    def __init__(self) -> None:
        self.content = GOOD
        self.cut_after: int | None = None
        self.ranges: list[str | None] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                hub.ranges.append(wanted)
                start = int(wanted.split("=")[1].rstrip("-")) if wanted else 0
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(hub.content) - start))
                self.send_header("X-Linked-Etag", f'"{sha(GOOD)}"')
                self.end_headers()
                self.wfile.write(hub.content[start:] if hub.cut_after is None else hub.content[start : hub.cut_after])

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    opened = Hub()
    monkeypatch.setattr(fetch, "HUB_URL", f"http://127.0.0.1:{opened.server.server_address[1]}")
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


def test_the_catalogue_is_complete() -> None:
    names = [entry.name for entry in catalogue()]
    assert len(names) == len(set(names))
    for entry in catalogue():
        assert entry.kind in ("recognizer", "voice", "vad", "wake")
        assert entry.languages
        assert entry.licence
        assert entry.text
        assert entry.sources
        for source in entry.sources:
            assert all("==" in package for package in source.packages), "wheels are pinned"
            if source.kind == "wheel":
                assert all(file.sha256 and file.size_bytes for file in entry.files)


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(InvalidInputError, match="parrot"):
        find_model("parrot")


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="entendre models get whisper-medium"):
        require("whisper-medium", tmp_path)


def test_a_download_is_verified_and_found(hub: Hub, tmp_path: Path) -> None:
    steps: list[int] = []
    installed = fetch.get_model(model(), tmp_path, progress=lambda _, done, size: steps.append(done))
    assert installed.files["model.bin"].read_bytes() == GOOD
    assert steps == sorted(steps)
    assert steps[-1] == len(GOOD)
    again = locate(model(), tmp_path)
    assert again is not None
    verify(again)


def test_a_wrong_checksum_is_refused_and_costs_nothing_good(hub: Hub, tmp_path: Path) -> None:
    fetch.get_model(model(), tmp_path, progress=quiet)
    target = tmp_path / "small" / "model.bin"
    hub.content = b"X" + GOOD[1:]
    target.write_bytes(b"Y" + GOOD[1:])
    with refused("wrong checksum"):
        fetch.get_model(model(), tmp_path, progress=quiet)
    assert target.read_bytes() == b"Y" + GOOD[1:]
    assert [path.name for path in target.parent.iterdir()] == ["model.bin"]


def test_an_interrupted_download_goes_on(hub: Hub, tmp_path: Path) -> None:
    hub.cut_after = 200_000
    with refused("not downloaded whole"):
        fetch.get_model(model(), tmp_path, progress=quiet)
    assert locate(model(), tmp_path) is None
    part = tmp_path / "small" / "model.bin.part"
    assert part.stat().st_size == 200_000
    hub.cut_after = None
    fetch.get_model(model(), tmp_path, progress=quiet)
    assert hub.ranges == [None, "bytes=200000-"]
    assert not part.exists()


def test_a_model_without_pins_is_held_to_its_first_fetch(hub: Hub, tmp_path: Path) -> None:
    installed = fetch.get_model(model(pinned=False), tmp_path, progress=quiet)
    note = json.loads((tmp_path / "small" / "checksums.json").read_text())
    assert note == {"model.bin": sha(GOOD)}
    installed.files["model.bin"].write_bytes(b"Z" + GOOD[1:])
    with refused("wrong checksum"):
        verify(installed)


def test_a_hub_that_lies_about_a_model_without_pins_is_caught(hub: Hub, tmp_path: Path) -> None:
    hub.content = b"X" + GOOD[1:]
    with refused("wrong checksum"):
        fetch.get_model(model(pinned=False), tmp_path, progress=quiet)
    assert locate(model(pinned=False), tmp_path) is None


def test_a_folder_can_take_the_hubs_place(tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "deep"
    copy.mkdir(parents=True)
    (copy / "model.bin").write_bytes(GOOD)
    installed = fetch.get_model(model(), tmp_path / "models", progress=quiet, folder=tmp_path / "copy")
    verify(installed)
    (copy / "model.bin").write_bytes(b"bad")
    with refused("wrong checksum"):
        fetch.get_model(model(), tmp_path / "models", progress=quiet, folder=tmp_path / "copy")
    verify(installed)
    with refused("holds no"):
        fetch.get_model(model(), tmp_path / "models", progress=quiet, folder=tmp_path / "models" / "none")


def test_a_file_of_the_wrong_size_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "model.bin").write_bytes(GOOD[:-1])
    assert locate(model(), tmp_path) is None


def test_what_only_an_operator_can_install_says_so(tmp_path: Path) -> None:
    with refused("ask the operator"):
        fetch.get_model(model(kind="program"), tmp_path, progress=quiet)


def test_recognizers_say_how_well_they_hear() -> None:
    base = find_model("whisper-base")
    assert base.level("pt-BR") == base.level("pt") == "good"
    assert set(base.levels.values()) <= {"good", "usable", "poor", "unusable"}
    assert not base.level("xx")


def test_what_hears_badly_names_what_may_hear_better() -> None:
    base = find_model("whisper-base")
    assert not better_recognizers(base, "en")
    assert "whisper-large-v3-turbo" in better_recognizers(base, "hi")
    assert "zipformer-th" in better_recognizers(base, "th-TH")
    assert "whisper-tiny-en" not in better_recognizers(base, "th")


def test_a_model_of_several_languages_knows_them_all() -> None:
    assert find_model("whisper-base").speaks_all("hi,en-IN")
    assert not find_model("whisper-tiny-en").speaks_all("en,hi")


@pytest.mark.parametrize(("design", "files"), [("omnilingual", ("model.int8.onnx", "tokens.txt")), ("transducer", ())])
def test_a_broken_sherpa_model_is_told(tmp_path: Path, design: str, files: tuple[str, ...]) -> None:
    pytest.importorskip("sherpa_onnx", reason="needs the sherpa extra")
    from entendre.speech.sherpa import SherpaRecognizer

    for name in files:
        (tmp_path / name).write_bytes(b"no model")
    with pytest.raises(ModelError):
        SherpaRecognizer("broken", design, {name: tmp_path / name for name in files}, frozenset({"hi"}))
    missing = {name: tmp_path / "elsewhere" / name for name in ("model.int8.onnx", "tokens.txt")}
    with pytest.raises(ModelError):
        SherpaRecognizer("missing", design, missing, frozenset({"hi"}))
