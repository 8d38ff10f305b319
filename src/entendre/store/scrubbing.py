"""Having what deleted rows left in the files overwritten, by the thread that writes: nobody writes meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from entendre.store.connection import Connection
from entendre.store.engine import Engine, Session
from entendre.store.waiting import Job, Outcome


@dataclass(frozen=True, slots=True)
class Scrub:
    """In the place of a work: what to scrub."""

    tables: tuple[str, ...]

    def __call__(self, connection: Connection) -> None:
        """It runs outside transactions, and so is no work."""
        raise TypeError("a scrub is no work")


def scrubbed(engine: Engine, session: Session, job: Job) -> Outcome:
    """Scrub; an error is the caller's who asked for it."""
    assert isinstance(job.work, Scrub)
    try:
        session.scrub(job.work.tables)
    except session.errors as error:
        session.roll_back()
        return job, None, engine.explained(error)
    return job, None, None
