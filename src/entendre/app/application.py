"""The assistant put together: store, home, engines, jobs and sessions, then the doors to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

from entendre.app.devices import open_devices
from entendre.app.esphome import open_esphome, start_esphome
from entendre.app.households import open_households, own_plan
from entendre.app.mqtt import start_mqtt
from entendre.app.parts import FleetParts, open_parts
from entendre.app.tasks import running, tidy
from entendre.app.web import start_web
from entendre.app.wyoming import start_wyoming
from entendre.app.xiaozhi import open_xiaozhi
from entendre.config import Settings
from entendre.core.clock import Clock
from entendre.core.errors import StoreError
from entendre.core.home import HomeSnapshot, Room
from entendre.core.plan import TimerView
from entendre.home.mqtt.settings import broker_of
from entendre.ports import Voice
from entendre.session.api import Conversation, DeviceLink, DeviceProfile
from entendre.session.assistant import Assistant
from entendre.session.households import Households
from entendre.session.runtime import HouseholdPlan
from entendre.skills.planner import Planner
from entendre.speech.load import Speech, load_speech
from entendre.store.database import Database, open_database
from entendre.store.devices import Devices
from entendre.store.keys import ApiKeys
from entendre.store.lock import sole_server
from entendre.system import SystemClock
from entendre.web.guard import check_bind
from entendre.web.services import Door

log = logging.getLogger(__name__)


class App:
    """The whole assistant. `listen=False` runs it without sockets, for commands that need it in their own process."""

    def __init__(
        self, settings: Settings, *, listen: bool = True, clock: Clock | None = None, speech: Speech | None = None
    ) -> None:
        """`speech` shares engines that are loaded already; whoever loaded them closes them."""
        self.settings = settings
        self.port: int | None = None
        self._listen = listen
        self._shared_speech = speech
        self.clock = clock or SystemClock()
        self.stack = AsyncExitStack()
        self.missing: list[str] = ["starting"]
        self.problems: Callable[[], list[str]] = list
        self.doors: list[Door] = []
        """Routes of gateways on the HTTP server; filled before it starts."""
        self.database: Database
        self.plan: HouseholdPlan
        self.speech: Speech
        self.households: Households
        self.planner: Planner
        self.keys: ApiKeys
        self.devices: Devices
        self.fleet: FleetParts
        """Only where there are doors."""

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the database, load the engines, and listen. Raises: ConfigurationError, ModelError, StoreError."""
        try:
            loading = asyncio.create_task(self._load_speech())
            try:
                await self._open_store()
                self.planner = await asyncio.to_thread(self._load_planner)
            except BaseException:
                loading.cancel()
                await asyncio.gather(loading, return_exceptions=True)
                raise
            self.stack.push_async_callback(asyncio.to_thread, self.planner.close)
            self.speech = await loading
            if self._shared_speech is None:
                self.stack.callback(self.speech.close)
            await self._open_households()
            await self._connect_home()
            if self._listen:
                await self._open_doors()
                await self.stack.enter_async_context(running(tidy(), "tidy"))
            self.missing = []
        except BaseException:
            await self.stack.aclose()
            raise

    async def close(self) -> None:
        """End every connection and write what is under way; nothing that was acknowledged is lost."""
        self.missing = ["stopping"]
        await self.stack.aclose()

    def open(self, profile: DeviceProfile, link: DeviceLink) -> Conversation:
        """A conversation for one connection."""
        return self.households.open(profile, link)

    @property
    def assistant(self) -> Assistant:
        """What answers in the server's own household."""
        return self.households.own.assistant

    def voice_for(self, language: str) -> Voice | None:
        """The voice of a language."""
        return self.speech.voice_for(language)

    @property
    def zone(self) -> str:
        """The IANA name of the home's time zone."""
        return self.households.own.scheduler.time_zone

    def rooms(self) -> tuple[Room, ...]:
        """The rooms of the home, those that its brokers announced too."""
        return self.home().rooms

    def timers(self) -> tuple[TimerView, ...]:
        """Every timer of the server's own household, as it is now."""
        return self.households.own.timers()

    async def dismiss_ring(self, ring: str) -> None:
        """A device silenced what it rang by itself. Raises: StoreError."""
        await self.households.dismiss(ring)

    def home(self) -> HomeSnapshot:
        """The server's own home at this moment."""
        return self.households.own.graph.snapshot()

    async def _load_speech(self) -> Speech:
        if self._shared_speech is not None:
            return self._shared_speech
        return await asyncio.to_thread(load_speech, self.settings)

    # -- parts -------------------------------------------------------------------------------------------------------

    async def _open_store(self) -> None:
        settings = self.settings
        self._take_data_dir()
        self.database = database = await open_database(
            settings.database_place, serving=settings.server.region if self._listen else None
        )
        self.stack.push_async_callback(database.close)
        self.keys = ApiKeys(database, self.clock, settings.server.region)
        self.devices = open_devices(settings, database, self.clock)
        self.stack.push_async_callback(self.keys.close)
        if self._listen:
            check_bind(settings.server.host, await self.keys.any_active())
        self.plan = own_plan(settings)

    def _take_data_dir(self) -> None:
        folder = self.settings.server.data_dir
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._listen:
                self.stack.enter_context(sole_server(folder))
        except OSError as error:
            raise StoreError("The data folder can't be used.", detail=f"{folder}: {error.strerror}") from error

    def _load_planner(self) -> Planner:
        return Planner.load(self.settings, self.plan.home)

    async def _open_households(self) -> None:
        self.households = open_households(self, self.planner, self.speech)
        self.stack.push_async_callback(self.households.own.close)
        await self.households.own.start()
        self.stack.push_async_callback(self.households.close)
        if self._listen:
            await self.stack.enter_async_context(running(self.households.run(), "households"))

    async def _connect_home(self) -> None:
        if not self.settings.home.mqtt_url:
            return
        from entendre.home.mqtt.connector import MqttConnector

        mqtt = MqttConnector(
            broker_of(self.settings.home.mqtt_url, self.settings.home.mqtt_discovery_prefix),
            self.households.own.graph,
        )
        self.problems = lambda: [] if mqtt.status.connected else [f"MQTT broker: {mqtt.status.reason or 'connecting'}"]
        await self.stack.enter_async_context(running(mqtt.run(), "mqtt"))

    async def _open_doors(self) -> None:
        """Gateways that hang on the HTTP server offer their routes first; those that dial come last."""
        self.fleet = await open_parts(self)
        pictures = await open_xiaozhi(self)
        esphome = open_esphome(self)
        self.port = await start_web(self)
        await start_mqtt(self, pictures)
        await start_wyoming(self)
        await start_esphome(self, esphome)
        scheme = "https" if self.settings.server.certificate else "http"
        log.info("ready on %s://%s:%d", scheme, self.settings.server.host, self.port)
