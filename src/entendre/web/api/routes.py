"""Every operation of the API, in the order in which they are described."""

from __future__ import annotations

from entendre.web.api import description
from entendre.web.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (*description.OPERATIONS,)
