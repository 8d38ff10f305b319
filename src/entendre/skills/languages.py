"""Every language's sentences compiled once, for all homes: the names of a home are added by whoever plans for it."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock, RLock

from entendre.core.errors import ConfigurationError, InvalidInputError
from entendre.core.home import HomeSnapshot
from entendre.language.understander import Understander
from entendre.markets.loader import languages as taught
from entendre.skills.plugins import BrokenPlugin, LoadedSkills
from entendre.skills.speech import SkillSpeech, known_language, load_speech

log = logging.getLogger(__name__)

MAX_LANGUAGES = 64
"""Languages remembered, those that nobody taught among them."""


class Languages:
    """Compiles the default language at once, others in a thread of their own when somebody may speak them soon."""

    def __init__(self, skills: LoadedSkills, default_language: str = "en") -> None:
        """Raises: ConfigurationError when the default language has no pack, InvalidInputError for its sentences."""
        self.skills = skills
        self._default = known_language(default_language)
        self._broken: list[BrokenPlugin] = list(skills.broken)
        self._understanders: dict[str, Understander | None] = {}
        self._speech: dict[str, SkillSpeech] = {}
        self._compiling = RLock()
        self._loading = RLock()
        self._coming: dict[str, Future[None]] = {}
        self._ahead: ThreadPoolExecutor | None = None
        self._handing_over = Lock()
        self._closed = False
        self._understanders[self._default] = self._compile(self._default)

    @property
    def tags(self) -> frozenset[str]:
        """Languages that can be understood; not all of them need be compiled yet."""
        return self.skills.languages & frozenset(taught())

    def prepare(self, language: str) -> Future[None] | None:
        """Compile a language that was taught before it is spoken: that takes seconds, which no turn has.

        Done when it can be understood, or was left out; None if there is nothing to wait for.
        """
        if language in self._understanders or language not in self.tags:
            return None
        with self._handing_over:
            if self._closed:
                return None
            if self._ahead is None:
                self._ahead = ThreadPoolExecutor(1, thread_name_prefix="languages")
            if language not in self._coming:
                self._coming[language] = self._ahead.submit(self._compile_ahead, language)
            return self._coming[language]

    def close(self) -> None:
        """Compile nothing ahead any more, and wait for the language that is being compiled. Takes seconds."""
        with self._handing_over:
            self._closed = True
        if self._ahead is not None:
            self._ahead.shutdown(cancel_futures=True)

    def _compile_ahead(self, language: str) -> None:
        """Root of the thread's work: whatever is wrong with a language's files leaves out that language alone."""
        try:
            self.understander(language)
        except Exception:
            log.exception("language left out", extra={"language": language})
            self._understanders[language] = None

    @property
    def broken(self) -> tuple[BrokenPlugin, ...]:
        """Skills that were left out, and why."""
        return tuple(self._broken)

    def understander(self, language: str) -> Understander | None:
        """What understands a language in a home without names; None if nobody taught it."""
        if language in self._understanders:
            return self._understanders[language]
        with self._compiling:
            if language not in self._understanders:
                try:
                    self._understanders[language] = self._compile(language)
                except (ConfigurationError, InvalidInputError) as error:
                    if len(self._understanders) >= MAX_LANGUAGES:  # peers name languages, so there may be any number
                        return None
                    log.warning("language left out", extra={"language": language, "error": error.code})
                    self._understanders[language] = None
            return self._understanders[language]

    def speech(self, language: str) -> SkillSpeech:
        """What is said in a language, or in the default one when nobody taught it. Compiles nothing."""
        tag = known_language(language)
        taught_well = tag in self.tags and self._understanders.get(tag, ...) is not None
        try:
            return self._load(tag if taught_well else self._default)
        except (ConfigurationError, InvalidInputError):
            return self._load(self._default)

    def _load(self, language: str) -> SkillSpeech:
        """What every skill understands and says; a plugin whose file can't be read is left out."""
        with self._loading:
            if language not in self._speech:
                speech = self._speech[language] = load_speech(self.skills, language)
                self._broken.extend(speech.broken)
            return self._speech[language]

    def _compile(self, language: str) -> Understander:
        """An understander of every skill's sentences."""
        speech = self._load(language)
        with _without_collection():
            return Understander(speech.pack, speech.files, HomeSnapshot())


@contextmanager
def _without_collection() -> Iterator[None]:
    """Compiling makes many objects and no garbage: looking for some takes a quarter of its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
