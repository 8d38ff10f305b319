"""Nothing that would bind its users under the GPL is imported at run time."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def licences(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", repository / "scripts" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["licences"] = module
    spec.loader.exec_module(module)
    return module


def test_no_runtime_package_is_under_the_gpl(licences: ModuleType) -> None:
    packages = licences.runtime_packages()
    assert {"aiohttp", "hassil", "numpy"} <= set(packages)
    bound = {name: licences.licence_of(package) for name, package in packages.items()}
    assert not {name: licence for name, licence in bound.items() if licences.is_forbidden(licence)}


@pytest.mark.parametrize(
    ("licence", "forbidden"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("GNU General Public License v3 (GPLv3)", True),
        ("GNU Affero General Public License v3", True),
        ("MIT AND GPL-2.0-only", True),
        ("LGPL-2.1-or-later", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("GPL-2.0-only OR MIT", False),
        ("EPL-2.0 OR BSD-3-Clause", False),
        ("Apache-2.0", False),
    ],
)
def test_licence_texts_are_judged(licences: ModuleType, licence: str, forbidden: bool) -> None:
    assert licences.is_forbidden(licence) is forbidden
