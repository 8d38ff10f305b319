"""The HTTP API and the talk page: `build_app(WebServices(...))`."""

from entendre.web.guard import check_bind
from entendre.web.server import build_app, listen
from entendre.web.services import MediaRequest, Question, SpokenNotice, WebLimits, WebServices

__all__ = ["MediaRequest", "Question", "SpokenNotice", "WebLimits", "WebServices", "build_app", "check_bind", "listen"]
