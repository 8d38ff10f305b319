"""The assistant put together: store, home, engines, jobs and sessions, then the doors to it."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from entendre.app.devices import open_devices
from entendre.app.esphome import open_esphome, start_esphome
from entendre.app.mqtt import start_mqtt
from entendre.app.tasks import running, tidy
from entendre.app.voices import Voices
from entendre.app.web import start_web
from entendre.app.wyoming import start_wyoming
from entendre.app.xiaozhi import open_xiaozhi
from entendre.config import Settings
from entendre.core.clock import Clock
from entendre.core.errors import StoreError
from entendre.core.home import HomeSnapshot, Room
from entendre.core.plan import TimerView
from entendre.home.demo import demo_home
from entendre.home.document import load_home
from entendre.home.graph import HomeGraph
from entendre.home.lists import Lists
from entendre.home.mqtt.settings import broker_of
from entendre.home.pacing import Paced
from entendre.jobs.ring import Ring
from entendre.jobs.scheduler import Scheduler
from entendre.ports import MediaSource, Voice
from entendre.session.api import Conversation, DeviceLink, DeviceProfile, TimerChanged
from entendre.session.arbiter import Arbiter
from entendre.session.assistant import Assistant, Limits
from entendre.session.household import LiveHousehold
from entendre.session.hub import Hub, RingRequest
from entendre.session.silent import NoEars, NoVad
from entendre.skills.planner import Planner
from entendre.speech.gated import GatedVad
from entendre.speech.load import Speech, load_speech, voice_for
from entendre.store.database import Database, open_database
from entendre.store.devices import Devices
from entendre.store.keys import ApiKeys
from entendre.store.lock import sole_server
from entendre.store.sqlite import SqliteStore
from entendre.system import SystemClock, machine_zone, new_id
from entendre.web.guard import check_bind
from entendre.web.services import Door

log = logging.getLogger(__name__)

RENAMED_EVERY_S = 0.5
"""Names are compiled at most this often: a broker announces hundreds of appliances in one go."""


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
        self.hub = Hub()
        self.missing: list[str] = ["starting"]
        self.problems: Callable[[], list[str]] = list
        self.doors: list[Door] = []
        """Routes of gateways on the HTTP server; filled before it starts."""
        self.database: Database
        self.speech: Speech
        self.assistant: Assistant
        self.household: LiveHousehold
        self.planner: Planner
        self.keys: ApiKeys
        self.devices: Devices

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
            self.speech = await loading
            if self._shared_speech is None:
                self.stack.callback(self.speech.close)
            self._assemble()
            await self._start_jobs()
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
        return self.hub.open(profile, link)

    def voice_for(self, language: str) -> Voice | None:
        """The voice of a language."""
        return self.speech.voice_for(language)

    @property
    def zone(self) -> str:
        """The IANA name of the home's time zone."""
        return self._scheduler.time_zone

    def rooms(self) -> tuple[Room, ...]:
        """The rooms of the home, those that its brokers announced too."""
        return self._graph.snapshot().rooms

    def timers(self) -> tuple[TimerView, ...]:
        """Every timer of the household, as it is now."""
        return self._scheduler.timers(datetime.fromtimestamp(self.clock.wall(), UTC))

    async def dismiss_ring(self, ring: str) -> None:
        """A device silenced what it rang by itself. Raises: StoreError."""
        await self._scheduler.dismiss(ring)

    def home(self) -> HomeSnapshot:
        """The home at this moment."""
        return self._graph.snapshot()

    async def _load_speech(self) -> Speech:
        if self._shared_speech is not None:
            return self._shared_speech
        return await asyncio.to_thread(load_speech, self.settings)

    # -- parts -------------------------------------------------------------------------------------------------------

    async def _open_store(self) -> None:
        settings = self.settings
        self._take_data_dir()
        database = await open_database(
            settings.database_place, serving=settings.server.region if self._listen else None
        )
        self.stack.push_async_callback(database.close)
        self.database = database
        self._store = SqliteStore(database, self.clock, settings.server.region)
        self.keys = ApiKeys(database, self.clock, settings.server.region)
        self.devices = open_devices(settings, database, self.clock)
        self.stack.push_async_callback(self.keys.close)
        if self._listen:
            check_bind(settings.server.host, await self.keys.any_active())
        home = load_home(settings.home.file) if settings.home.file is not None else demo_home()
        self._graph = HomeGraph(home)
        zone = settings.server.time_zone or (home.time_zone if settings.home.file is not None else machine_zone())
        self._scheduler = Scheduler(self._store, self.clock, zone, settings.server.region)
        await self._scheduler.load()
        self._lists = Lists(self._store, self._graph.set_lists)
        await self._lists.load()
        await self._lists.seed(home.lists)
        self.stack.push_async_callback(self._lists.close)

    def _take_data_dir(self) -> None:
        folder = self.settings.server.data_dir
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._listen:
                self.stack.enter_context(sole_server(folder))
        except OSError as error:
            raise StoreError("The data folder can't be used.", detail=f"{folder}: {error.strerror}") from error

    def _load_planner(self) -> Planner:
        return Planner.load(self.settings, self._graph.snapshot())

    def _assemble(self) -> None:
        speech, settings = self.speech, self.settings
        self.household = LiveHousehold(
            store=self._store,
            clock=self.clock,
            graph=self._graph,
            scheduler=self._scheduler,
            lists=self._lists,
            speaker_rooms=self.hub.rooms,
            rings_on=self.hub.rings_on,
        )
        self.assistant = Assistant(
            clock=self.clock,
            recognizer=speech.recognizer or NoEars(),
            draft_recognizer=speech.draft_recognizer,
            voices=Voices(speech),
            vad=GatedVad(speech.vad) if speech.vad is not None else NoVad(),
            planner=self.planner,
            household=self.household,
            announcer=self.hub,
            wake_word=speech.wake_word,
            busy=speech.pool.load,
            new_id=new_id,
            voice_named=lambda name, language: voice_for([v for v in speech.voices if v.name == name], language),
            media=self._open_media(),
            arbiter=Arbiter(self.clock.monotonic) if settings.home.one_answers else None,
            limits=Limits(utterance_s=settings.limits.utterance_s),
        )
        self.hub.attach(self.assistant)
        self.stack.push_async_callback(self.assistant.keeper.close)
        renamed = Paced(lambda: self.planner.set_home(self._graph.snapshot()), RENAMED_EVERY_S)
        self.stack.callback(renamed.close)
        self._graph.on_names_changed(renamed)

    def _open_media(self) -> MediaSource | None:
        """What plays stations on speakers that are streamed to; None without its extra."""
        if importlib.util.find_spec("miniaudio") is None:
            return None
        from entendre.media.addresses import places_of
        from entendre.media.source import HttpMedia

        media = HttpMedia(lambda: places_of(station.url for station in self._graph.snapshot().media))
        self.stack.push_async_callback(media.close)
        return media

    async def _start_jobs(self) -> None:
        self.stack.push_async_callback(self._scheduler.close)
        self.hub.on_sounded = lambda ring, device: self._keep(self._scheduler.delivered(ring, device))
        self._scheduler.subscribe(self._ring, lambda ring: self.hub.stop_ring(ring.id))
        self._scheduler.subscribe_timers(self._show_timer)
        await self.stack.enter_async_context(running(self._scheduler.run(), "jobs"))

    def _keep(self, work: Any) -> None:
        self.assistant.keeper.start(work, "note")

    def _ring(self, ring: Ring) -> None:
        language = ring.language or self.settings.server.language
        text = self.planner.phrase(
            f"{ring.kind}_rings", language, name=ring.name or "", time=ring.due.strftime("%H:%M")
        )
        if not self.hub.ring(RingRequest(ring.id, ring.kind, ring.name, text, ring.device)):
            log.warning("nothing to ring on is connected", extra={"kind": ring.kind, "device": ring.device})

    def _show_timer(self, timer: TimerView, change: str) -> None:
        if timer.device is not None:
            shown = (timer.id, change, timer.name, timer.total_s, timer.remaining_s, timer.paused)
            self.hub.notify(timer.device, TimerChanged(*shown))

    async def _connect_home(self) -> None:
        if not self.settings.home.mqtt_url:
            return
        from entendre.home.mqtt.connector import MqttConnector

        mqtt = MqttConnector(
            broker_of(self.settings.home.mqtt_url, self.settings.home.mqtt_discovery_prefix), self._graph
        )
        self.problems = lambda: [] if mqtt.status.connected else [f"MQTT broker: {mqtt.status.reason or 'connecting'}"]
        await self.stack.enter_async_context(running(mqtt.run(), "mqtt"))

    async def _open_doors(self) -> None:
        """Gateways that hang on the HTTP server offer their routes first; those that dial come last."""
        pictures = await open_xiaozhi(self)
        esphome = open_esphome(self)
        self.port = await start_web(self)
        await start_mqtt(self, pictures)
        await start_wyoming(self)
        await start_esphome(self, esphome)
        log.info("ready on http://%s:%d", self.settings.server.host, self.port)
