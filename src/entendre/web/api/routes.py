"""Every operation of the API, in the order in which they are described."""

from __future__ import annotations

from entendre.web.api import (
    accounts,
    audit,
    brands,
    changes,
    commands,
    consent,
    description,
    export,
    house_devices,
    households,
    lists,
    members,
    notes,
    oauth,
    partnerships,
    products,
    routines,
    staff,
    telemetry,
    webhooks,
)
from entendre.web.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *brands.OPERATIONS,
    *products.OPERATIONS,
    *partnerships.OPERATIONS,
    *staff.OPERATIONS,
    *households.OPERATIONS,
    *members.OPERATIONS,
    *house_devices.OPERATIONS,
    *lists.OPERATIONS,
    *notes.OPERATIONS,
    *routines.OPERATIONS,
    *consent.OPERATIONS,
    *export.OPERATIONS,
    *accounts.OPERATIONS,
    *oauth.OPERATIONS,
    *audit.OPERATIONS,
    *description.OPERATIONS,
    *commands.OPERATIONS,
    *telemetry.OPERATIONS,
    *changes.OPERATIONS,
    *webhooks.OPERATIONS,
)
