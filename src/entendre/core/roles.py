"""The roles of brand staff and of members of a household."""

from __future__ import annotations

from typing import Literal

Role = Literal["admin", "engineer", "support", "viewer"]
"""What a person or an API key is in a brand."""
Place = Literal["owner", "adult", "child", "guest"]
"""What a person is in a household."""
