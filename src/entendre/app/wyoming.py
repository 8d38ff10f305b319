"""Wyoming: satellites that we dial, and our engines as services."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from entendre.app.tasks import running
from entendre.core.plan import DeviceView, Plan
from entendre.core.understanding import Understanding
from entendre.session.text import answer_text

if TYPE_CHECKING:
    from entendre.app.application import App


async def start_wyoming(app: App) -> None:
    """Dial the satellites and offer the engines, as far as the settings say so."""
    wyoming, language = app.settings.wyoming, app.settings.server.language
    if wyoming.satellites or wyoming.discover:
        from entendre.gateways.wyoming.satellites import SatelliteRunner
        from entendre.gateways.wyoming.settings import RunnerSettings, parse_satellite

        words = app.settings.speech.wake_words
        satellites = [parse_satellite(each, language=language, wake_words=words) for each in wyoming.satellites]
        runner = SatelliteRunner(
            app.households,
            satellites,
            RunnerSettings(discover=wyoming.discover, language=language, wake_words=words),
        )
        await app.stack.enter_async_context(running(runner.run(), "wyoming-satellites"))
    if wyoming.service_port:
        from entendre.gateways.wyoming.engines import ServedEngines
        from entendre.gateways.wyoming.service import WyomingService
        from entendre.gateways.wyoming.settings import ServiceSettings

        engines = ServedEngines(
            recognizer=app.speech.recognizer,
            voices=app.speech.voices,
            wake_word=app.speech.wake_word,
            understand=partial(_understand, app),
            handle=partial(_handle, app),
            languages=tuple(app.planner.languages),
        )
        service = WyomingService(
            engines,
            ServiceSettings(language=language, allow_unauthenticated_lan=wyoming.allow_unauthenticated_lan),
        )
        await service.start(wyoming.service_host, wyoming.service_port)
        app.stack.push_async_callback(service.close)


async def _understand(app: App, text: str, language: str) -> tuple[Understanding, Plan]:
    answer = await answer_text(app.assistant, text, device=DeviceView(id="wyoming"), language=language, act=False)
    return answer.understanding, answer.plan


async def _handle(app: App, text: str, language: str) -> tuple[Understanding, Plan]:
    answer = await answer_text(app.assistant, text, device=DeviceView(id="wyoming"), language=language, act=True)
    return answer.understanding, answer.plan
