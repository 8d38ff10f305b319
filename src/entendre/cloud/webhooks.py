"""Webhooks delivered: in order for each, at least once, slower the longer nobody answers."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Callable
from typing import Any

from entendre.cloud.webhook_address import checked_url
from entendre.core.clock import Clock
from entendre.core.errors import EntendreError, NotFoundError, ThrottledError
from entendre.fleet import webhooks as rules
from entendre.ports.changes import ChangeFeed, FeedChange, Interest
from entendre.ports.webhooks import Post, WebhookChanges, WebhookRecord, WebhookStore

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""How soon a webhook that another process changed is taken notice of, and one that is due is tried again."""
SPACING_S = 0.1
"""Between two looks: what changes meanwhile is delivered together."""
AT_ONCE = 100
"""Changes of one delivery."""
MAX_BODY_BYTES = 512 * 1024
MAX_DELIVERIES = 32
"""Deliveries under way at a time, over all webhooks."""
TEST_EVERY_S = 5.0


class WebhookDesk:
    """Implements `ports.webhooks.Webhooks`. `run` delivers."""

    def __init__(
        self,
        store: WebhookStore,
        feed: ChangeFeed,
        post: Post,
        clock: Clock,
        *,
        new_id: Callable[[], str],
        to_private: bool = False,
    ) -> None:
        """`to_private`: the operator allows addresses of this machine."""
        self._store = store
        self._feed = feed
        self._post = post
        self._clock = clock
        self._new_id = new_id
        self._to_private = to_private
        self._deliveries: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(MAX_DELIVERIES)
        self._tested_at_s: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._looked_to: dict[str, int] = {}

    # -- for people --------------------------------------------------------------------------------------------------

    async def create(self, brand: str, url: str, topics: tuple[str, ...], *, by: str) -> tuple[WebhookRecord, str]:
        """A new one that hears of what changes from now on, and its secret.

        Raises: InvalidInputError, TooLargeError.
        """
        secret, shown = _new_secret()
        record = WebhookRecord(
            id=self._new_id(),
            brand=brand,
            url=checked_url(url, to_private=self._to_private),
            secret=secret,
            topics=rules.checked_topics(topics),
            enabled=True,
            delivered_seq=self._feed.position,
            failures=0,
            next_at_s=None,
            last_status=None,
            created_at_s=self._clock.wall(),
            created_by=by,
            version=1,
        )
        await self._store.add(record)
        self._changed.set()
        return record, shown

    async def get(self, brand: str, webhook: str) -> WebhookRecord:
        """One webhook. Raises: NotFoundError."""
        return await self._store.get(brand, webhook)

    async def webhooks(self, brand: str, *, after: str, limit: int) -> tuple[WebhookRecord, ...]:
        """Webhooks of a brand in the order of their ids, after one."""
        return await self._store.webhooks(brand, after=after, limit=limit)

    async def change(
        self, brand: str, webhook: str, changes: WebhookChanges, *, by: str, version: int | None = None
    ) -> WebhookRecord:
        """Change one. Raises: NotFoundError, StaleError, InvalidInputError."""
        if changes.url is not None:
            checked_url(changes.url, to_private=self._to_private)
        if changes.topics is not None:
            rules.checked_topics(changes.topics)
        changed = await self._store.change(brand, webhook, changes, by=by, version=version)
        self._changed.set()
        return changed

    async def rotate(self, brand: str, webhook: str, *, by: str) -> tuple[WebhookRecord, str]:
        """Give one a new secret. Raises: NotFoundError."""
        secret, shown = _new_secret()
        return await self._store.change(brand, webhook, WebhookChanges(secret=secret), by=by, version=None), shown

    async def remove(self, brand: str, webhook: str, *, by: str, version: int | None = None) -> None:
        """Remove one. Raises: NotFoundError, StaleError."""
        await self._store.remove(brand, webhook, by=by, version=version)

    async def test(self, brand: str, webhook: str) -> int:
        """Send it something at once; the status, 0 if nobody answered. Raises: NotFoundError, ThrottledError."""
        record = await self._store.get(brand, webhook)
        now_s = self._clock.monotonic()
        if now_s - self._tested_at_s.get(brand, -TEST_EVERY_S) < TEST_EVERY_S:
            raise ThrottledError("A brand tests a webhook every few seconds.", retry_after_s=TEST_EVERY_S)
        self._tested_at_s[brand] = now_s
        return await self._send(record, {"webhook": record.id, "test": True, "changes": []})

    # -- delivery ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver to every webhook that has something to hear. A task root."""
        heard = self._feed.subscribe(Interest())
        try:
            while True:
                try:
                    await self._look()
                except EntendreError as error:
                    log.warning("webhooks can't be read", extra={"code": error.code})
                await self._wait(heard.wait(LOOK_EVERY_S))
        finally:
            heard.close()
            tasks = tuple(self._deliveries.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self, news: Any) -> None:
        """Until something was announced, or a webhook was changed here."""
        waiting = [asyncio.ensure_future(news), asyncio.ensure_future(self._changed.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        self._changed.clear()
        await asyncio.sleep(SPACING_S)

    async def _look(self) -> None:
        """Begin a delivery to each webhook that is behind and due; one at a time for each."""
        now_s = self._clock.wall()
        for record in await self._store.enabled():
            due = record.next_at_s is None or record.next_at_s <= now_s
            if due and record.id not in self._deliveries and self._reached(record) < self._feed.position:
                self._deliveries[record.id] = asyncio.create_task(self._deliver(record), name="webhook")

    def _reached(self, record: WebhookRecord) -> int:
        """Up to where a webhook has nothing more to hear; not written while nothing was sent."""
        return max(record.delivered_seq, self._looked_to.get(record.id, 0))

    async def _deliver(self, record: WebhookRecord) -> None:
        """Task root: one webhook, until it has heard everything or does not answer."""
        try:
            async with self._turns:
                while record.enabled and await self._deliver_some(record):
                    record = await self._store.get(record.brand, record.id)
        except NotFoundError:
            log.debug("a webhook was removed meanwhile")
        except EntendreError as error:
            log.warning("a webhook can't be delivered to", extra={"code": error.code})
        except Exception:
            log.exception("a webhook can't be delivered to")
        finally:
            del self._deliveries[record.id]

    async def _deliver_some(self, record: WebhookRecord) -> bool:
        """Send the next changes; whether there may be more to send at once."""
        interest = Interest(brand=record.brand, topics=record.topics, fleet_only=True)
        page = await self._feed.after(self._reached(record), interest, AT_ONCE)
        changes = _fitting(page.changes)
        if not changes:
            self._looked_to[record.id] = page.next_seq
            return page.more or page.next_seq < self._feed.position
        status = await self._send(record, {"webhook": record.id, "changes": [_shown(each) for each in changes]})
        if 200 <= status < 300:
            through = page.next_seq if len(changes) == len(page.changes) else changes[-1].seq
            await self._store.delivered(record, through, status)
            return through < self._feed.position
        failures = record.failures + 1
        wait_s = rules.retry_after_s(failures, random.random())
        gives_up = failures >= rules.GIVEN_UP_FAILURES
        await self._store.failed(record, status, self._clock.wall() + wait_s, gives_up=gives_up)
        return False

    async def _send(self, record: WebhookRecord, document: dict[str, Any]) -> int:
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        signed = rules.signature(record.secret, int(self._clock.wall()), body)
        headers = {rules.SIGNATURE_HEADER: signed, "Content-Type": "application/json"}
        return await self._post(record.url, body, headers)


def _fitting(changes: tuple[FeedChange, ...]) -> tuple[FeedChange, ...]:
    """As many as fit into one body, one at least."""
    size = 0
    for number, each in enumerate(changes):
        size += len(each.data or "") * 4 + 512
        if size > MAX_BODY_BYTES and number:
            return changes[:number]
    return changes


def _shown(change: FeedChange) -> dict[str, Any]:
    return {
        "seq": change.seq,
        "topic": change.topic,
        "subject": change.subject,
        "change": change.change,
        "household": change.household,
        "version": change.version,
        "at_s": change.at_s,
        "data": None if change.data is None else json.loads(change.data),
    }


def _new_secret() -> tuple[bytes, str]:
    """A secret, and how it is shown once: its text is what signs."""
    shown = rules.SECRET_PREFIX + secrets.token_urlsafe(rules.SECRET_BYTES)
    return shown.encode(), shown
