"""List the licences of everything that Entendre imports at run time; fail on one that would bind its users.

Programs under the GPL may run beside us as processes of their own; an import would make the whole a derived work.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata

FORBIDDEN = re.compile(r"\b(?:A?GPL|GNU (?:Affero )?General Public)", re.IGNORECASE)
LESSER = re.compile(r"\bL(?:esser )?GPL|GNU Lesser|Library General Public", re.IGNORECASE)
EXTRAS = frozenset(
    {"speech", "voices", "sherpa", "media", "mqtt", "wyoming", "esphome", "speaker", "xiaozhi", "postgres", "fleet"}
)
"""Extras that run with the server; `dev` only builds and checks it."""


def runtime_packages(root: str = "entendre") -> dict[str, metadata.Distribution]:
    """Every installed package that `root` or one of its run-time extras requires, by normalised name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # an optional dependency or one of another platform
        if _normal(name) in found:
            continue
        found[_normal(name)] = package
        waiting += [needed for line in package.requires or () if (needed := _required(line, name == root))]
    return found


def licence_of(package: metadata.Distribution) -> str:
    """What a package says of its licence: the SPDX expression, the classifiers, or the free text's first line."""
    described = package.metadata
    if expression := described.get("License-Expression"):
        return str(expression)
    classifiers = [line.split(" :: ")[-1] for line in described.get_all("Classifier") or () if "License ::" in line]
    if classifiers:
        return "; ".join(classifiers)
    return (described.get("License") or "unknown").strip().splitlines()[0]


def is_forbidden(licence: str) -> bool:
    """Whether every reading of a licence text binds an importer; "A OR B" leaves a choice."""
    choices = re.split(r"\bor\b", licence, flags=re.IGNORECASE) if re.search(r"\bOR\b", licence) else [licence]
    return all(FORBIDDEN.search(LESSER.sub("", choice)) for choice in choices)


def _required(line: str, take_extras: bool) -> str | None:
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
    if extra and not (take_extras and extra.group(1) in EXTRAS):
        return None
    return re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """Print and judge."""
    packages = runtime_packages()
    licences = {name: licence_of(package) for name, package in sorted(packages.items()) if name != "entendre"}
    forbidden = {name: licence for name, licence in licences.items() if is_forbidden(licence)}
    if "--list" in sys.argv:
        for name, licence in licences.items():
            print(f"{name:32} {packages[name].version:18} {licence}")
    for name, licence in forbidden.items():
        print(f"{name}: {licence} may not be imported", file=sys.stderr)
    unknown = [name for name, licence in licences.items() if licence.lower() in {"", "unknown"}]
    print(f"Licences of {len(licences)} packages: {len(forbidden)} forbidden, unknown: {', '.join(unknown) or 'none'}")
    return 1 if forbidden else 0


if __name__ == "__main__":
    sys.exit(main())
