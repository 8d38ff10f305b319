"""Every operation of the API, in the order in which they are described."""

from __future__ import annotations

from entendre.web.api import brands, changes, commands, description, partnerships, products, staff, telemetry, webhooks
from entendre.web.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *brands.OPERATIONS,
    *products.OPERATIONS,
    *partnerships.OPERATIONS,
    *staff.OPERATIONS,
    *description.OPERATIONS,
    *commands.OPERATIONS,
    *telemetry.OPERATIONS,
    *changes.OPERATIONS,
    *webhooks.OPERATIONS,
)
