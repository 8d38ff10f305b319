"""The households of the server put together: its own, and those that makers and members have made."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from entendre.app.voices import Voices
from entendre.core.errors import EntendreError
from entendre.core.home import HOME
from entendre.core.tags import first_tag
from entendre.home.demo import demo_home, demo_languages
from entendre.home.document import load_home
from entendre.home.stored import home_of
from entendre.ports import MediaSource, Voice
from entendre.ports.homes import StoredHome
from entendre.ports.households import TurnRecord
from entendre.session.arbiter import Arbiter
from entendre.session.assistant import Assistant, Limits
from entendre.session.households import Households
from entendre.session.runtime import HouseholdPlan, HouseholdRuntime
from entendre.session.silent import NoEars, NoVad
from entendre.skills.planner import Planner
from entendre.speech.gated import GatedVad
from entendre.speech.load import Speech, voice_for
from entendre.store.homes import StoredHomes
from entendre.store.people.history import HistoryStore
from entendre.store.sqlite import SqliteStore
from entendre.system import machine_zone, new_id

if TYPE_CHECKING:
    from entendre.app.application import App
    from entendre.config import Settings

log = logging.getLogger(__name__)


def own_plan(settings: Settings) -> HouseholdPlan:
    """The household of the server itself: the home file, or the demo home. Raises: InvalidInputError."""
    home = load_home(settings.home.file) if settings.home.file is not None else demo_home(demo_languages())
    zone = settings.server.time_zone or (home.time_zone if settings.home.file is not None else machine_zone())
    home = replace(home, country=settings.server.country.upper() or None)
    return HouseholdPlan(HOME, home, settings.language, zone, settings.server.region)


def plan_of(settings: Settings, stored: StoredHome) -> HouseholdPlan:
    """Another household: what it says of itself, and the server's language and time zone where it does not."""
    home = home_of(stored, settings.server.time_zone or machine_zone())
    language = first_tag(stored.language or "") or settings.language
    spoken = stored.language or ""
    return HouseholdPlan(stored.household, home, language, home.time_zone, settings.server.region, spoken)


def open_households(app: App, planner: Planner, speech: Speech) -> Households:
    """Every household over these engines; the server's own, whose names `planner` has, is yet to be started."""
    settings = app.settings
    engines = _Engines(settings, app, speech)

    def make(plan: HouseholdPlan) -> HouseholdRuntime:
        store = SqliteStore(app.database, app.clock, settings.server.region, plan.id)
        own = planner if plan is app.plan else planner.at(plan.home)
        return HouseholdRuntime(plan, store, app.clock, own, engines.assemble)

    return Households(
        make(app.plan),
        StoredHomes(app.database, app.clock, settings.server.region),
        app.clock,
        make,
        lambda stored: plan_of(settings, stored),
        most=settings.limits.households,
    )


class _Engines:
    """What all households share, as each one's assistant has it."""

    def __init__(self, settings: Settings, app: App, speech: Speech) -> None:
        self._settings = settings
        self._app = app
        self._speech = speech
        self._vad = GatedVad(speech.vad) if speech.vad is not None else NoVad()
        self._voices = Voices(speech)

    def assemble(self, runtime: HouseholdRuntime) -> Assistant:
        """The assistant of one household."""
        speech, settings = self._speech, self._settings
        return Assistant(
            clock=self._app.clock,
            recognizer=speech.recognizer or NoEars(),
            draft_recognizer=speech.draft_recognizer,
            voices=self._voices,
            vad=self._vad,
            planner=runtime.planner,
            household=runtime.household,
            announcer=runtime.hub,
            wake_word=speech.wake_word,
            busy=speech.pool.load,
            new_id=new_id,
            voice_named=self._voice_named,
            media=self._media(runtime),
            arbiter=Arbiter(self._app.clock.monotonic) if settings.home.one_answers else None,
            remember=self._remember(runtime.id),
            limits=Limits(utterance_s=settings.limits.utterance_s, filler_after_s=settings.speech.filler_after_s),
        )

    def _remember(self, household: str) -> Callable[[TurnRecord], Coroutine[Any, Any, None]]:
        """What keeps a household's turns. A turn that can't be kept is lost: nothing was promised of it."""
        history = HistoryStore(self._app.database, self._app.clock, self._settings.server.region)

        async def remember(turn: TurnRecord) -> None:
            try:
                await history.record_turn(household, turn)
            except EntendreError as error:
                log.warning("a turn was not kept", extra={"household": household, "code": error.code})

        return remember

    def _voice_named(self, name: str, language: str) -> Voice | None:
        return voice_for([each for each in self._speech.voices if each.name == name], language)

    def _media(self, runtime: HouseholdRuntime) -> MediaSource | None:
        """What plays stations on speakers that are streamed to; None without its extra.

        Only whoever runs the server names places in its own network: members of other households are strangers there.
        """
        if importlib.util.find_spec("miniaudio") is None:
            return None
        from entendre.media.addresses import Place, places_of
        from entendre.media.source import HttpMedia

        def named() -> frozenset[Place]:
            stations = runtime.graph.snapshot().media if runtime.id == HOME else ()
            return places_of(station.url for station in stations)

        media = HttpMedia(named)
        runtime.on_close.append(media.close)
        return media
