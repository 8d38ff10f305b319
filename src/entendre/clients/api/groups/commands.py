"""The operations of commands. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.web.api.commands import Command, CommandAnswered, CommandJob, WaitingCommands
from entendre.web.api.paging import Page

ROUTES = {
    "call_device": Route("call_device", "POST", "/brands/{brand}/devices/{device}/call", idempotent=True),
    "queue": Route("queue_command", "POST", "/brands/{brand}/devices/{device}/commands", idempotent=True),
    "list": Route("list_commands", "GET", "/brands/{brand}/devices/{device}/commands"),
    "get": Route("get_command", "GET", "/brands/{brand}/devices/{device}/commands/{command}"),
    "cancel": Route("cancel_command", "DELETE", "/brands/{brand}/devices/{device}/commands/{command}"),
    "start_job": Route("start_command_job", "POST", "/brands/{brand}/command-jobs", idempotent=True),
    "list_jobs": Route("list_command_jobs", "GET", "/brands/{brand}/command-jobs"),
    "get_job": Route("get_command_job", "GET", "/brands/{brand}/command-jobs/{job}"),
    "cancel_job": Route("cancel_command_job", "DELETE", "/brands/{brand}/command-jobs/{job}"),
    "device_commands": Route("device_commands", "GET", "/device/commands"),
    "device_answer": Route("device_answer", "POST", "/device/commands/{command}/answer"),
}


class Commands(Group):
    """The operations of commands."""

    async def call_device(
        self,
        brand: str,
        device: str,
        *,
        name: str,
        payload: object | UnsetType = UNSET,
        timeout_s: float | UnsetType | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Command:
        """Have a connected device do something now, and wait for its answer. Raises: ApiError."""
        return await self._ask(
            ROUTES["call_device"],
            Command,
            {"brand": brand, "device": device},
            body={"name": name, "payload": payload, "timeout_s": timeout_s},
            idempotency_key=idempotency_key,
        )

    async def queue(
        self,
        brand: str,
        device: str,
        *,
        name: str,
        payload: object | UnsetType = UNSET,
        ttl_s: float | UnsetType | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Command:
        """Have a device do something once it can. Raises: ApiError."""
        return await self._ask(
            ROUTES["queue"],
            Command,
            {"brand": brand, "device": device},
            body={"name": name, "payload": payload, "ttl_s": ttl_s},
            idempotency_key=idempotency_key,
        )

    def list(
        self,
        brand: str,
        device: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        state: Literal["queued", "delivered", "done", "failed", "expired", "cancelled"] | None = None,
    ) -> AsyncIterator[Command]:
        """Commands of a device, newest first. Raises: ApiError."""
        return self._every(
            ROUTES["list"],
            Page[Command],
            {"brand": brand, "device": device},
            {"limit": limit, "after": after, "state": state},
        )

    async def get(self, brand: str, device: str, command: str) -> Command:
        """One command with its answer. Raises: ApiError."""
        return await self._ask(ROUTES["get"], Command, {"brand": brand, "device": device, "command": command})

    async def cancel(self, brand: str, device: str, command: str) -> Command:
        """End a command that waits. Raises: ApiError."""
        return await self._ask(ROUTES["cancel"], Command, {"brand": brand, "device": device, "command": command})

    async def start_job(
        self,
        brand: str,
        *,
        name: str,
        query: str | UnsetType = UNSET,
        payload: object | UnsetType = UNSET,
        ttl_s: float | UnsetType | None = UNSET,
        idempotency_key: str | None = None,
    ) -> CommandJob:
        """Queue a command for every device that a query finds. Raises: ApiError."""
        return await self._ask(
            ROUTES["start_job"],
            CommandJob,
            {"brand": brand},
            body={"name": name, "query": query, "payload": payload, "ttl_s": ttl_s},
            idempotency_key=idempotency_key,
        )

    def list_jobs(self, brand: str, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[CommandJob]:
        """Jobs, newest first. Raises: ApiError."""
        return self._every(ROUTES["list_jobs"], Page[CommandJob], {"brand": brand}, {"limit": limit, "after": after})

    async def get_job(self, brand: str, job: str) -> CommandJob:
        """One job with its progress. Raises: ApiError."""
        return await self._ask(ROUTES["get_job"], CommandJob, {"brand": brand, "job": job})

    async def cancel_job(self, brand: str, job: str) -> CommandJob:
        """Stop a job; commands that devices have already are left to them. Raises: ApiError."""
        return await self._ask(ROUTES["cancel_job"], CommandJob, {"brand": brand, "job": job})

    async def device_commands(self, *, wait_s: float | None = None, again: bool | None = None) -> WaitingCommands:
        """A device's own commands, oldest first; waits for one if asked to. Raises: ApiError."""
        return await self._ask(ROUTES["device_commands"], WaitingCommands, {}, query={"wait_s": wait_s, "again": again})

    async def device_answer(
        self, command: str, *, status: int | UnsetType = UNSET, result: object | UnsetType = UNSET
    ) -> CommandAnswered:
        """A device answers a command: kept before this is answered. Raises: ApiError."""
        return await self._ask(
            ROUTES["device_answer"], CommandAnswered, {"command": command}, body={"status": status, "result": result}
        )
