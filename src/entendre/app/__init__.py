"""The composition root: the only place that knows which engine, store and gateway stands behind which port."""

from entendre.app.application import App
from entendre.app.serving import serve

__all__ = ["App", "serve"]
