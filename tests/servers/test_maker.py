"""A maker's first ten minutes and a customer's, from the terminal, with two devices that are programs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from entendre.clients.device.home import DeviceHome
from entendre.clients.device.http import HttpLink
from entendre.clients.device.identity import KeyIdentity
from entendre.clients.device.link import DeviceLink
from entendre.clients.device.mqtt import MqttLink
from entendre.clients.device.runner import DeviceRunner
from entendre.clients.device.updater import Updater

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
pytest.importorskip("argon2")

QUIET = ("--set", "speech.recognizer=none", "--set", "speech.voice=none", "--set", "speech.vad=none")
FIRMWARE = os.urandom(600_000)
PASSWORD = "correct horse battery staple"
WAIT_S = 120.0


class Terminal:
    """A person at a terminal in a folder, with a server at an address."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ENTENDRE_")}
        self.environment = clean | {"ENTENDRE_URL": url, "XDG_CONFIG_HOME": str(folder / "config"), "NO_COLOR": "1"}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "entendre", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def run(self, *words: str, status: int = 0) -> str:
        """Run a command; what it printed."""
        process = self.start(*words)
        out, err = process.communicate(timeout=WAIT_S)
        assert process.returncode == status, f"{' '.join(words)}\n{out}\n{err}"
        return out if status == 0 else err

    def json(self, *words: str) -> Any:
        """Run a command; the JSON that it printed."""
        return json.loads(self.run(*words, "--json"))

    def until(self, words: tuple[str, ...], holds: Callable[[Any], bool]) -> Any:
        """Run a command until what it says is so."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            found = self.json(*words)
            if holds(found):
                return found
        pytest.fail(f"{' '.join(words)} did not come to what was awaited: {found}")


class Speaker:
    """A device: it beeps, has a volume, and installs what its maker signed."""

    def __init__(self, folder: Path, url: str, key: bytes) -> None:
        self.home = DeviceHome(folder, url)
        self.url, self.key, self.folder = url, key, folder
        self.running = "1.0.0"
        self.beeps = 0

    async def live(self, identity: KeyIdentity, link_of: Callable[[str, str], DeviceLink]) -> None:
        """Enrol and do what a device does until it is switched off."""
        told = await self.home.enrolled(identity, firmware=self.running, country="BR")
        assert told.device is not None
        assert told.token is not None
        runner = DeviceRunner(
            link_of(told.device, told.token),
            on_desired=self._become,
            commands=self.home.commands(),
            flush_s=0.1,
            first_pause_s=0.1,
        )
        runner.commands.on("beep", self._beep)
        runner.measure({"temperature": 21.5})
        await asyncio.gather(runner.run(), self._update(HttpLink(self.url, told.token)))

    async def _become(self, desired: Any) -> Any:
        return {"volume": desired.get("volume")}

    async def _beep(self, command: Any) -> Any:
        self.beeps += 1
        return {"beeps": command.payload["times"]}

    async def _update(self, link: HttpLink) -> None:
        async def install(manifest: Any, file: Path) -> None:
            assert await asyncio.to_thread(file.read_bytes) == FIRMWARE
            self.running = manifest.number

        updater = Updater(link, self.url, [self.key], self.folder / "firmware", install)
        try:
            while True:
                await updater.check(self.running)
                await asyncio.sleep(0.5)
        finally:
            await updater.close()
            await link.close()


@contextmanager
def switched_on(lives: list[Any]) -> Iterator[None]:
    """Devices that live in a loop of their own while the terminal is used."""
    import threading

    loop = asyncio.new_event_loop()
    tasks: list[asyncio.Task[None]] = []

    async def all_of_them() -> None:
        tasks.extend(asyncio.create_task(each) for each in lives)
        await asyncio.gather(*tasks, return_exceptions=True)

    def run() -> None:
        loop.run_until_complete(all_of_them())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
        assert not [each.exception() for each in tasks if each.done() and not each.cancelled()]
    finally:
        loop.call_soon_threadsafe(lambda: [each.cancel() for each in tasks])
        thread.join(30)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def typed_in_a_browser(url: str, code: str) -> None:
    """Type the code into the server's page and sign in there."""
    form = {"user_code": code, "login": "ana@example.org", "password": PASSWORD, "decision": "approve"}
    asked = urllib.request.Request(f"{url}/device", urllib.parse.urlencode(form).encode(), {"Origin": url})
    with urllib.request.urlopen(asked) as page:
        assert "Connected" in page.read().decode()


def test_the_first_ten_minutes_of_a_maker(serve, tmp_path: Path) -> None:
    mqtt_port = free_port()
    server = serve(*QUIET, "--set", f"device_mqtt.port={mqtt_port}", "--set", "xiaozhi.enabled=false")
    maker = Terminal(tmp_path / "maker", server.url)
    maker.run("brand", "create", "acme", "--display-name", "Acme Audio", "--assistant", "Nova")
    maker.run("product", "create", "one", "--model", "A1")
    key = maker.run("brand", "add-key", "ci", "--role", "engineer").strip()
    maker.environment |= {"ENTENDRE_KEY": key, "ENTENDRE_BRAND": "acme"}
    maker.run("enrolment", "create", "batch-1", "--product", "one", "--keys", "batch.json")
    derived = maker.json("enrolment", "derive", "batch.json", "SN-1", "SN-2")
    public = base64.b64decode(maker.json("release", "keygen", "maker.pem")["public_key"])

    speakers = [Speaker(maker.folder / each["serial"], server.url, public) for each in derived]
    identities = [KeyIdentity(each["group"], each["serial"], bytes.fromhex(each["key"])) for each in derived]

    def mqtt(device: str, token: str) -> DeviceLink:
        return MqttLink("127.0.0.1", mqtt_port, device, token)

    def http(device: str, token: str) -> DeviceLink:
        return HttpLink(server.url, token, wait_s=1.0, twin_every_s=1.0)

    lives = [speakers[0].live(identities[0], mqtt), speakers[1].live(identities[1], http)]
    with switched_on(lives):
        maker.until(("device", "list"), lambda found: {each["serial"] for each in found} == {"SN-1", "SN-2"})
        maker.until(("device", "show", "SN-1"), lambda found: found["online"])
        _configured_and_commanded(maker)
        _updated(maker)
    assert [each.running for each in speakers] == ["1.1.0", "1.1.0"]
    assert [each.beeps for each in speakers] == [1, 1]


def _configured_and_commanded(maker: Terminal) -> None:
    maker.run("device", "tag", "SN-1", "stage=beta")
    found = maker.json("device", "list", "--query", "tags.stage = 'beta'")
    assert [each["serial"] for each in found] == ["SN-1"]
    assert maker.run("device", "show", found[0]["id"][-8:]).splitlines()[0].endswith(found[0]["id"])
    for serial in ("SN-1", "SN-2"):
        maker.run("device", "desired", serial, "volume=40")
        maker.until(("device", "twin", serial), lambda twin: twin["reported"].get("volume") == 40)
    assert maker.json("command", "call", "SN-1", "beep", "times=2")["result"] == {"beeps": 2}
    assert "[offline]" in maker.run("command", "call", "SN-2", "beep", status=1)
    queued = maker.json("command", "queue", "SN-2", "beep", "times=3")
    maker.until(("command", "show", "SN-2", queued["id"]), lambda command: command["state"] == "done")
    maker.until(("telemetry", "newest"), lambda rows: {each["body"]["temperature"] for each in rows} == {21.5})


def _updated(maker: Terminal) -> None:
    (maker.folder / "firmware.bin").write_bytes(FIRMWARE)
    maker.run("release", "add-key", "maker", "maker.pem")
    signed = ("--key", "maker.pem", "--product", "one", "--number", "1.1.0", "-o", "release.json")
    maker.run("release", "sign", "firmware.bin", *signed)
    maker.run("release", "create", "release.json", "firmware.bin")
    maker.run("release", "publish", "1.1.0")
    maker.run("rollout", "create", "1.1.0", "--name", "spring", "--group", "50", "--group", "100", "--start")
    shown = maker.run("rollout", "watch", "spring")
    assert "finished" in shown
    assert {each["state"] for each in maker.json("rollout", "devices", "spring")} == {"succeeded"}
    assert maker.json("rollout", "list")[0]["state"] == "finished"


def test_the_device_of_the_guide_runs_as_it_is_printed(serve, repository: Path, tmp_path: Path) -> None:
    mqtt_port = free_port()
    server = serve(*QUIET, "--set", f"device_mqtt.port={mqtt_port}", "--set", "xiaozhi.enabled=false")
    maker = Terminal(tmp_path / "maker", server.url)
    guide = (repository / "docs" / "maker.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    changed = program.replace("127.0.0.1:8770", f"127.0.0.1:{server.port}").replace("1883", str(mqtt_port))
    maker.run("brand", "create", "acme")
    maker.run("product", "create", "one")
    maker.run("enrolment", "create", "batch-1", "--product", "one", "--keys", "batch.json")
    [made] = maker.json("enrolment", "derive", "batch.json", "SN-1")
    public = str(maker.json("release", "keygen", "maker.pem")["public_key"])
    words = [sys.executable, "-c", changed, made["group"], made["serial"], made["key"], public]
    with subprocess.Popen(words, cwd=maker.folder, stdout=subprocess.DEVNULL) as device:
        try:
            maker.until(("device", "list"), lambda found: [each["online"] for each in found] == [True])
            maker.run("device", "desired", "SN-1", "volume=40")
            maker.until(("device", "twin", "SN-1"), lambda twin: twin["reported"].get("volume") == 40)
            assert maker.json("command", "call", "SN-1", "beep")["result"] == {"beeped": True}
            _updated(maker)
            maker.until(("device", "show", "SN-1"), lambda found: found["firmware"] == "1.1.0")
        finally:
            device.kill()


def test_a_customer_signs_in_takes_everything_along_and_is_forgotten(serve, tmp_path: Path) -> None:
    server = serve(*QUIET)
    operator = Terminal(tmp_path / "operator", server.url)
    (operator.folder / "password").write_text(PASSWORD)
    operator.run("account", "create", "ana@example.org", "--name", "Ana", "--password-file", "password")
    operator.run("household", "create", "Ana's home", "--owner", "ana@example.org")
    device = _device_of(server.url, operator)

    ana = Terminal(tmp_path / "ana", server.url)
    _sign_in(ana, server.url)
    assert ana.json("account", "me")["account"]["login"] == "ana@example.org"
    assert [each["name"] for each in ana.json("household", "list")] == ["Ana's home"]
    ana.run("household", "add-room", "Kitchen")
    claimed = ana.json("household", "claim", device, "--name", "Kitchen speaker", "--room", "Kitchen")
    assert claimed["name"] == "Kitchen speaker"
    assert "Kitchen speaker" in ana.run("household", "devices")
    ana.run("household", "export", "all.zip")
    with zipfile.ZipFile(ana.folder / "all.zip") as archive:
        assert any(b"Kitchen speaker" in archive.read(name) for name in archive.namelist())
    assert "[not_confirmed]" in ana.run("household", "erase", "Ana's home", status=1)
    ana.run("household", "erase", "Ana's home", "--yes")
    assert ana.json("household", "list") == []
    ana.run("logout")
    with contextlib.suppress(FileNotFoundError):
        assert json.loads((ana.folder / "config" / "entendre" / "tokens.json").read_text()) == {}
    assert "[forbidden]" in ana.run("account", "me", status=1)


def _sign_in(person: Terminal, url: str) -> None:
    process = person.start("login")
    assert process.stderr is not None
    lines = [process.stderr.readline() for _ in range(2)]
    assert lines[0].split() == ["Open", f"{url}/device"]
    typed_in_a_browser(url, lines[1].split()[1])
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, err
    assert "Signed in" in out
    kept = person.folder / "config" / "entendre" / "tokens.json"
    assert kept.stat().st_mode & 0o777 == 0o600


def _device_of(url: str, operator: Terminal) -> str:
    """Register a device and have it ask for the code by which it is claimed."""
    operator.run("product", "create", "one", "--brand", "home")
    made = operator.json("device", "register", "SN-9", "--product", "one", "--brand", "home")
    token = operator.json("device", "token", made["id"], "--brand", "home")["token"]
    asked = urllib.request.Request(
        f"{url}/api/v1/device/claim-code",
        b"{}",
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked) as answer:
        return str(json.load(answer)["code"])
