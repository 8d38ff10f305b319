"""Works run in transactions: writes together in one commit, each with a fate of its own; reads each in a snapshot."""

from __future__ import annotations

import logging

from entendre.core.errors import StoreError
from entendre.store.engine import ConnectionLostError, Engine, Session
from entendre.store.waiting import Job, Outcome

log = logging.getLogger(__name__)


class _SpoiltError(Exception):
    """A work failed, and what it wrote cannot be undone alone."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(cause)
        self.cause = cause


def write_together(engine: Engine, session: Session, batch: list[Job]) -> list[Outcome]:
    """One commit for all; a failed commit fails all. Raises: ConnectionLostError where nothing happened."""
    try:
        session.begin()
    except session.errors as error:
        return _not_begun(engine, session, batch, error)
    try:
        outcomes = _attempted(engine, session, batch)
    except _SpoiltError as error:
        session.roll_back()
        return _all_failed(engine, batch, error.cause)
    except session.errors as error:
        session.roll_back()
        if session.is_lost(error):
            raise ConnectionLostError(error, began=True) from error
        return _all_failed(engine, batch, error)
    try:
        session.commit()
    except session.errors as error:
        session.roll_back()
        if session.is_lost(error):
            error = StoreError("The database went away; whether this was done is not known.", detail=str(error))
        return _all_failed(engine, batch, error)
    return outcomes


def read_alone(engine: Engine, session: Session, batch: list[Job]) -> list[Outcome]:
    """One read of one snapshot. Raises: ConnectionLostError."""
    (job,) = batch
    try:
        session.begin()
    except session.errors as error:
        return _not_begun(engine, session, batch, error)
    try:
        outcome: Outcome = (job, job.work(session.connection), None)
    except BaseException as error:  # handed to the caller, who waits for it in another thread
        if session.is_lost(error):
            raise ConnectionLostError(error, began=True) from error
        outcome = (job, None, engine.explained(error))
    session.roll_back()
    return [outcome]


def _attempted(engine: Engine, session: Session, batch: list[Job]) -> list[Outcome]:
    """Run every work. Where savepoints cost a round trip they are set only once a work has failed."""
    if session.savepoints_are_cheap:
        return [_in_savepoint(engine, session, job) for job in batch]
    try:
        return [_without_savepoint(engine, session, job) for job in batch]
    except _SpoiltError as error:
        session.roll_back()
        if len(batch) == 1:
            session.begin()
            return [(batch[0], None, engine.explained(error.cause))]
    session.begin()
    return [_in_savepoint(engine, session, job) for job in batch]


def _without_savepoint(engine: Engine, session: Session, job: Job) -> Outcome:
    session.watch()
    try:
        result = job.work(session.connection)
    except BaseException as error:  # handed to the caller, who waits for it in another thread
        if session.is_lost(error):
            raise ConnectionLostError(error, began=True) from error
        if session.is_untouched():
            return job, None, engine.explained(error)
        raise _SpoiltError(error) from error
    return job, result, None


def _in_savepoint(engine: Engine, session: Session, job: Job) -> Outcome:
    session.set_savepoint()
    try:
        result = job.work(session.connection)
        session.release_savepoint()
    except BaseException as error:  # handed to the caller, who waits for it in another thread
        if session.is_lost(error):
            raise ConnectionLostError(error, began=True) from error
        if session.is_spoilt():
            raise _SpoiltError(error) from error
        session.return_to_savepoint()
        return job, None, engine.explained(error)
    return job, result, None


def _not_begun(engine: Engine, session: Session, batch: list[Job], error: Exception) -> list[Outcome]:
    session.roll_back()
    if session.is_lost(error):
        raise ConnectionLostError(error, began=False) from error
    return _all_failed(engine, batch, error)


def _all_failed(engine: Engine, batch: list[Job], error: BaseException) -> list[Outcome]:
    log.error("commit failed", extra={"writes": len(batch), "reason": type(error).__name__})
    return [(job, None, engine.explained(error)) for job in batch]
