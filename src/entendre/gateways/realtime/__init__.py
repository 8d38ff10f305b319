"""The OpenAI Realtime protocol: `RealtimeGateway(factory, settings).handle` serves a WebSocket request."""

from entendre.gateways.realtime.gateway import RealtimeGateway
from entendre.gateways.realtime.settings import RealtimeSettings

__all__ = ["RealtimeGateway", "RealtimeSettings"]
