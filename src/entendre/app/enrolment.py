"""Provisioning as the settings want it: which regions there are, and how often a stranger may try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from entendre.config import Settings
from entendre.core.errors import ConfigurationError
from entendre.fleet.enrolment import is_region
from entendre.store.fleet.directory import FleetDirectory
from entendre.store.fleet.enrolment import FleetEnrolment, Regions
from entendre.web.api.limits import Rates

if TYPE_CHECKING:
    from entendre.app.application import App

ADDRESS_PER_S, ADDRESS_BURST = 50.0, 300
"""Of one IP address: a factory's line enrols 1,000 devices a minute with two requests each behind one address."""
SERIAL_PER_S, SERIAL_BURST = 0.2, 12
"""Of one serial number: a device that loses answers may try six times at once."""


def open_enrolment(app: App) -> dict[str, Any]:
    """What the API asks of enrolment, by the names that it has for it. Raises: ConfigurationError."""
    settings, clock = app.settings, app.clock
    regions = regions_of(settings)
    directory = FleetDirectory(app.database, clock, regions.here, settings.fleet.directory_key)
    return {
        "enrolment": FleetEnrolment(app.database, clock, regions, directory),
        "directory": directory,
        "region_endpoint": regions.endpoint_of,
        "provisioning_rates": (
            Rates(ADDRESS_PER_S, ADDRESS_BURST, clock.monotonic),
            Rates(SERIAL_PER_S, SERIAL_BURST, clock.monotonic),
        ),
    }


def regions_of(settings: Settings) -> Regions:
    """This server's region and the others that it knows. Raises: ConfigurationError."""
    here, others = settings.server.region, {}
    for each in settings.fleet.regions:
        name, _, url = each.partition("=")
        parts = urlsplit(url.strip())
        if not is_region(name.strip()) or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"fleet.regions: {each} is not name=https://….")
        others[name.strip()] = url.strip().rstrip("/")
    if others and not settings.fleet.directory_key:
        raise ConfigurationError("fleet.regions needs fleet.directory_key, the same in every region.")
    return Regions(here, settings.server.public_url.rstrip("/"), others)
