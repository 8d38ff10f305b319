"""Wyoming: satellites that we dial, and our engines as a Wyoming service."""

from entendre.gateways.wyoming.satellites import SatelliteRunner, SatelliteStatus
from entendre.gateways.wyoming.service import WyomingService
from entendre.gateways.wyoming.settings import RunnerSettings, SatelliteSettings, ServiceSettings

__all__ = [
    "RunnerSettings",
    "SatelliteRunner",
    "SatelliteSettings",
    "SatelliteStatus",
    "ServiceSettings",
    "WyomingService",
]
