"""Finds and loads skills: the built-in folders and those of the owner's folders, all the same way.

A skill is a folder with `skill.py` and one sentence file a language (`en.yaml`, `pt-BR.yaml`). A broken skill is
reported and left out; the others load.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from entendre.core.errors import ConfigurationError
from entendre.skills.base import Skill

log = logging.getLogger(__name__)

BUILT_IN = Path(__file__).parent
HANDLER_FILE = "skill.py"
Settings = Mapping[str, Mapping[str, Any]]
"""Skill name -> its settings."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A loaded skill with its sentence files by language tag."""

    name: str
    skill: Skill
    folder: Path
    sentence_files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A skill that could not be loaded, and why, for its author."""

    name: str
    folder: Path
    reason: str


@dataclass(frozen=True, slots=True)
class LoadedSkills:
    """Every skill that was found."""

    plugins: tuple[Plugin, ...] = ()
    broken: tuple[BrokenPlugin, ...] = field(default=())

    @property
    def by_intent(self) -> dict[str, Plugin]:
        """Which skill answers an intent."""
        return {intent: plugin for plugin in self.plugins for intent in plugin.skill.intents}

    @property
    def languages(self) -> frozenset[str]:
        """Languages that at least one skill has sentences in."""
        return frozenset(tag for plugin in self.plugins for tag in plugin.sentence_files)


def load_skills(folders: Sequence[Path | str] = (), settings: Settings | None = None) -> LoadedSkills:
    """Load the built-in skills, then those of `folders`; a later skill replaces an earlier one of its name.

    Raises: ConfigurationError when a folder of the owner's does not exist.
    """
    plugins: dict[str, Plugin] = {}
    broken: list[BrokenPlugin] = []
    for root in (BUILT_IN, *map(Path, folders)):
        for folder in _skill_folders(root):
            loaded = _load(folder, built_in=root == BUILT_IN, settings=settings or {})
            if isinstance(loaded, BrokenPlugin):
                broken.append(loaded)
            else:
                plugins[loaded.name] = loaded
    return _without_clashes(plugins.values(), broken)


def _skill_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise ConfigurationError(f"The skills folder {root} does not exist.")
    if (root / HANDLER_FILE).is_file():
        return [root]
    return sorted(path.parent for path in root.glob(f"*/{HANDLER_FILE}"))


def _load(folder: Path, *, built_in: bool, settings: Settings) -> Plugin | BrokenPlugin:
    name = folder.name
    try:
        module = _import(folder, built_in=built_in)
        skill = _skill_of(module, settings.get(name, {}))
        files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
        if not files:
            raise ConfigurationError("There is no sentence file such as en.yaml.")
        return Plugin(skill.name, skill, folder, files)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's own code may raise anything, or be a script
        log.warning("skill left out", extra={"skill": name, "error": type(error).__name__})
        return BrokenPlugin(name, folder, f"{type(error).__name__}: {error}")


def _import(folder: Path, *, built_in: bool) -> ModuleType:
    if built_in:
        return importlib.import_module(f"entendre.skills.{folder.name}.{Path(HANDLER_FILE).stem}")
    name = f"entendre_plugin_{folder.name}"
    spec = importlib.util.spec_from_file_location(name, folder / HANDLER_FILE)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{folder / HANDLER_FILE} can't be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _skill_of(module: ModuleType, settings: Mapping[str, Any]) -> Skill:
    build = getattr(module, "build", None)
    skill: Skill | None = build(settings) if build is not None else getattr(module, "SKILL", None)
    if skill is None:
        raise ConfigurationError(f"{HANDLER_FILE} defines neither SKILL nor build(settings).")
    for attribute in ("name", "intents", "plan"):
        if not hasattr(skill, attribute):
            raise ConfigurationError(f"The skill has no {attribute}.")
    name: object = skill.name
    intents: object = skill.intents
    if not isinstance(name, str) or isinstance(intents, str):
        raise ConfigurationError("The skill's name is no text, or its intents are no set of texts.")
    if not all(isinstance(intent, str) for intent in skill.intents):
        raise ConfigurationError("The skill's intents are no texts.")
    return skill


def _without_clashes(plugins: Iterable[Plugin], broken: list[BrokenPlugin]) -> LoadedSkills:
    """Leave out a skill that claims an intent that an earlier one answers."""
    owners: dict[str, str] = {}
    kept: list[Plugin] = []
    for plugin in plugins:
        clash = next((intent for intent in plugin.skill.intents if intent in owners), None)
        if clash is not None:
            reason = f"The intent {clash} belongs to the skill {owners[clash]}."
            broken.append(BrokenPlugin(plugin.name, plugin.folder, reason))
            continue
        owners |= dict.fromkeys(plugin.skill.intents, plugin.name)
        kept.append(plugin)
    return LoadedSkills(tuple(kept), tuple(broken))
