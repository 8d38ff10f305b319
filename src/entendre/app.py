"""The composition root: the only place that knows which engine, store and gateway stands behind which port."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web

from entendre.config import Settings, is_loopback
from entendre.core.clock import Clock
from entendre.core.document import document_of
from entendre.core.errors import ConfigurationError, StoreError
from entendre.core.plan import DeviceView, Plan, TimerView
from entendre.core.understanding import Understanding
from entendre.gateways.realtime.gateway import RealtimeGateway
from entendre.gateways.realtime.settings import RealtimeSettings
from entendre.home.demo import demo_home
from entendre.home.document import load_home
from entendre.home.graph import HomeGraph
from entendre.home.lists import Lists
from entendre.home.mqtt.settings import broker_of
from entendre.home.pacing import Paced
from entendre.jobs.ring import Ring
from entendre.jobs.scheduler import Scheduler
from entendre.ports import Recognizer, Voice
from entendre.session.api import Conversation, DeviceLink, DeviceProfile, TimerChanged
from entendre.session.assistant import Assistant, Limits
from entendre.session.household import LiveHousehold
from entendre.session.hub import Hub, RingRequest
from entendre.session.silent import NoEars, NoVad
from entendre.session.text import answer_text
from entendre.skills.planner import Planner
from entendre.speech.gated import GatedVad
from entendre.speech.load import Speech, load_speech, voice_for
from entendre.store.database import Database
from entendre.store.keys import ApiKeys
from entendre.store.lock import sole_server
from entendre.store.sqlite import SqliteStore
from entendre.system import SystemClock, limit_arenas, machine_zone, new_id, return_free_memory
from entendre.web.guard import check_bind, presented_key
from entendre.web.server import build_app, listen
from entendre.web.services import Question, WebServices

log = logging.getLogger(__name__)

TIDY_EVERY_S = 60.0

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
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._hub = Hub()
        self._missing: list[str] = ["starting"]
        self._problems: Callable[[], list[str]] = list
        self.speech: Speech
        self.assistant: Assistant
        self.household: LiveHousehold
        self.planner: Planner
        self.keys: ApiKeys

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
                self._stack.callback(self.speech.close)
            self._assemble()
            await self._start_jobs()
            await self._connect_home()
            if self._listen:
                await self._start_gateways()
                await self._stack.enter_async_context(_task(_tidy(), "tidy"))
            self._missing = []
        except BaseException:
            await self._stack.aclose()
            raise

    async def close(self) -> None:
        """End every connection and write what is under way; nothing that was acknowledged is lost."""
        self._missing = ["stopping"]
        await self._stack.aclose()

    def open(self, profile: DeviceProfile, link: DeviceLink) -> Conversation:
        """A conversation for one connection."""
        return self._hub.open(profile, link)

    def voice_for(self, language: str) -> Voice | None:
        """The voice of a language."""
        return self.speech.voice_for(language)

    async def _load_speech(self) -> Speech:
        if self._shared_speech is not None:
            return self._shared_speech
        return await asyncio.to_thread(load_speech, self.settings)

    # -- parts -------------------------------------------------------------------------------------------------------

    async def _open_store(self) -> None:
        settings = self.settings
        self._take_data_dir()
        database = await asyncio.to_thread(Database, settings.database_file)
        self._stack.push_async_callback(database.close)
        self._store = SqliteStore(database, self._clock, settings.server.region)
        self.keys = ApiKeys(database, self._clock, settings.server.region)
        self._stack.push_async_callback(self.keys.close)
        if self._listen:
            check_bind(settings.server.host, await self.keys.any_active())
        home = load_home(settings.home.file) if settings.home.file is not None else demo_home()
        self._graph = HomeGraph(home)
        zone = settings.server.time_zone or (home.time_zone if settings.home.file is not None else machine_zone())
        self._scheduler = Scheduler(self._store, self._clock, zone, settings.server.region)
        await self._scheduler.load()
        self._lists = Lists(self._store, self._graph.set_lists)
        await self._lists.load()
        await self._lists.seed(home.lists)
        self._stack.push_async_callback(self._lists.close)

    def _take_data_dir(self) -> None:
        folder = self.settings.server.data_dir
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._listen:
                self._stack.enter_context(sole_server(folder))
        except OSError as error:
            raise StoreError("The data folder can't be used.", detail=f"{folder}: {error.strerror}") from error

    def _load_planner(self) -> Planner:
        return Planner.load(self.settings, self._graph.snapshot())

    def _assemble(self) -> None:
        speech, settings = self.speech, self.settings
        self.household = LiveHousehold(
            store=self._store,
            clock=self._clock,
            graph=self._graph,
            scheduler=self._scheduler,
            lists=self._lists,
            speaker_rooms=self._hub.rooms,
            rings_on=self._hub.rings_on,
        )
        self.assistant = Assistant(
            clock=self._clock,
            recognizer=speech.recognizer or NoEars(),
            draft_recognizer=speech.draft_recognizer,
            voices=_Voices(speech),
            vad=GatedVad(speech.vad) if speech.vad is not None else NoVad(),
            planner=self.planner,
            household=self.household,
            announcer=self._hub,
            wake_word=speech.wake_word,
            busy=speech.pool.load,
            new_id=new_id,
            voice_named=lambda name, language: voice_for([v for v in speech.voices if v.name == name], language),
            limits=Limits(utterance_s=settings.limits.utterance_s),
        )
        self._hub.attach(self.assistant)
        self._stack.push_async_callback(self.assistant.keeper.close)
        renamed = Paced(lambda: self.planner.set_home(self._graph.snapshot()), RENAMED_EVERY_S)
        self._stack.callback(renamed.close)
        self._graph.on_names_changed(renamed)

    async def _start_jobs(self) -> None:
        self._stack.push_async_callback(self._scheduler.close)
        self._hub.on_sounded = lambda ring, device: self._keep(self._scheduler.delivered(ring, device))
        self._scheduler.subscribe(self._ring, lambda ring: self._hub.stop_ring(ring.id))
        self._scheduler.subscribe_timers(self._show_timer)
        await self._stack.enter_async_context(_task(self._scheduler.run(), "jobs"))

    def _keep(self, work: Any) -> None:
        self.assistant.keeper.start(work, "note")

    def _ring(self, ring: Ring) -> None:
        language = ring.language or self.settings.server.language
        text = self.planner.phrase(
            f"{ring.kind}_rings", language, name=ring.name or "", time=ring.due.strftime("%H:%M")
        )
        if not self._hub.ring(RingRequest(ring.id, ring.kind, ring.name, text, ring.device)):
            log.warning("nothing to ring on is connected", extra={"kind": ring.kind, "device": ring.device})

    def _show_timer(self, timer: TimerView, change: str) -> None:
        if timer.device is not None:
            shown = (timer.id, change, timer.name, timer.total_s, timer.remaining_s, timer.paused)
            self._hub.notify(timer.device, TimerChanged(*shown))

    async def _connect_home(self) -> None:
        if not self.settings.home.mqtt_url:
            return
        from entendre.home.mqtt.connector import MqttConnector

        mqtt = MqttConnector(
            broker_of(self.settings.home.mqtt_url, self.settings.home.mqtt_discovery_prefix), self._graph
        )
        self._problems = lambda: [] if mqtt.status.connected else [f"MQTT broker: {mqtt.status.reason or 'connecting'}"]
        await self._stack.enter_async_context(_task(mqtt.run(), "mqtt"))

    # -- doors -------------------------------------------------------------------------------------------------------

    async def _start_gateways(self) -> None:
        settings = self.settings
        realtime = RealtimeGateway(
            self._hub,
            RealtimeSettings(language=settings.server.language, max_connections=settings.limits.connections),
            may_stay=self._key_holds if self._needs_key() else None,
        )
        application = build_app(self._web_services(realtime))
        runner, self.port = await self._bound(application)
        self._stack.push_async_callback(runner.cleanup)
        await self._start_wyoming()
        log.info("ready on http://%s:%d", settings.server.host, self.port)

    async def _bound(self, application: web.Application) -> tuple[web.AppRunner, int]:
        host, port = self.settings.server.host, self.settings.server.port
        try:
            return await listen(application, host, port)
        except OSError as error:
            raise ConfigurationError(
                f"Can't listen on {host}:{port}: {error.strerror or error}. Another server may be running; "
                "stop it, or choose another port with --port."
            ) from error

    def _web_services(self, realtime: RealtimeGateway) -> WebServices:
        settings, speech = self.settings, self.speech

        def recognizer(language: str) -> Recognizer | None:
            return speech.recognizer if speech.hears(language) else None

        def voice(language: str, name: str | None) -> Voice | None:
            named = next((each for each in speech.voices if each.name == name), None)
            return named or speech.voice_for(language)

        models = {"entendre": "assistant", **{each.name: "voice" for each in speech.voices}}
        if speech.recognizer is not None:
            models[speech.recognizer.name] = "recognizer"
        return WebServices(
            recognizer=recognizer,
            voice=voice,
            ask=self._ask,
            verify_key=self.keys.verify,
            realtime=realtime,
            require_key=self._needs_key(),
            language=settings.server.language,
            models=models,
            voices=lambda: tuple(each.name for each in speech.voices),
            ready=lambda: self._missing,
            problems=self._problems,
        )

    def _needs_key(self) -> bool:
        return self.settings.keys.required or not is_loopback(self.settings.server.host)

    async def _key_holds(self, request: web.Request) -> bool:
        """Whether the key that a connection was opened with was not revoked since."""
        return await self.keys.verify(presented_key(request) or "") is not None

    async def _ask(self, question: Question) -> Mapping[str, Any]:
        device = DeviceView(id=question.device, room=question.room)
        answer = await answer_text(
            self.assistant,
            question.text,
            device=device,
            language=question.language,
            act=question.act,
            turn=question.turn,
        )
        return {**document_of(answer.understanding, answer.plan), "failed": list(answer.failed)}

    async def _start_wyoming(self) -> None:
        wyoming, language = self.settings.wyoming, self.settings.server.language
        if wyoming.satellites or wyoming.discover:
            from entendre.gateways.wyoming.satellites import SatelliteRunner
            from entendre.gateways.wyoming.settings import RunnerSettings, parse_satellite

            words = self.settings.speech.wake_words
            satellites = [parse_satellite(each, language=language, wake_words=words) for each in wyoming.satellites]
            runner = SatelliteRunner(
                self._hub,
                satellites,
                RunnerSettings(discover=wyoming.discover, language=language, wake_words=words),
            )
            await self._stack.enter_async_context(_task(runner.run(), "wyoming-satellites"))
        if wyoming.service_port:
            from entendre.gateways.wyoming.engines import ServedEngines
            from entendre.gateways.wyoming.service import WyomingService
            from entendre.gateways.wyoming.settings import ServiceSettings

            engines = ServedEngines(
                recognizer=self.speech.recognizer,
                voices=self.speech.voices,
                wake_word=self.speech.wake_word,
                understand=self._understand,
                handle=self._handle,
                languages=tuple(self.planner.languages),
            )
            service = WyomingService(
                engines,
                ServiceSettings(language=language, allow_unauthenticated_lan=wyoming.allow_unauthenticated_lan),
            )
            await service.start(wyoming.service_host, wyoming.service_port)
            self._stack.push_async_callback(service.close)

    async def _understand(self, text: str, language: str) -> tuple[Understanding, Plan]:
        answer = await answer_text(self.assistant, text, device=DeviceView(id="wyoming"), language=language, act=False)
        return answer.understanding, answer.plan

    async def _handle(self, text: str, language: str) -> tuple[Understanding, Plan]:
        answer = await answer_text(self.assistant, text, device=DeviceView(id="wyoming"), language=language, act=True)
        return answer.understanding, answer.plan


async def serve(settings: Settings) -> None:
    """Run the server until SIGINT or SIGTERM. Raises: what `App.start` raises."""
    limit_arenas()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    app = App(settings)
    starting = asyncio.create_task(app.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    await starting
    gc.collect()
    gc.freeze()  # what was loaded stays, so that no collection walks it again: 10 ms each
    await stopping
    await app.close()


class _Voices(Mapping[str, Voice]):
    """The voices by language, chosen as speech chooses them."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    def __getitem__(self, language: str) -> Voice:
        voice = self._speech.voice_for(language)
        if voice is None:
            raise KeyError(language)
        return voice

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({language for voice in self._speech.voices for language in voice.languages}))

    def __len__(self) -> int:
        return len(list(iter(self)))


@asynccontextmanager
async def _task(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """A service that runs until the stack unwinds; one that dies of a bug is logged, not hidden."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_report)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _tidy() -> None:
    """Keep the process as small as what it holds."""
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        await asyncio.to_thread(return_free_memory)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("%s stopped", task.get_name(), exc_info=task.exception())
