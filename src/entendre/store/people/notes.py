"""The notebook of a household, and of each of its people alone."""

from __future__ import annotations

from entendre.core.errors import InvalidInputError, NotFoundError, TooLargeError
from entendre.ports.households import Note
from entendre.store.connection import Connection
from entendre.store.people.within import At, OfPeople, check_version
from entendre.system import new_id

MAX_NOTES = 1_000
"""Of the household together, and of each person."""
MAX_TEXT_CHARS = 4_000
_COLUMNS = "id, text, account, created_at_s, created_by, version"
_MAY_SEE = "(account IS NULL OR account = ?)"


class NoteStore(OfPeople):
    """Implements `ports.households.Notes`. Somebody else's private note does not exist, whoever asks."""

    async def page(self, household: str, account: str | None, after: str | None, limit: int) -> tuple[Note, ...]:
        """Notes of the household, and those of `account`."""
        sql = (
            f"SELECT {_COLUMNS} FROM notes WHERE region = ? AND household = ? AND {_MAY_SEE} AND id > ?"
            " ORDER BY id LIMIT ?"
        )

        def work(connection: Connection) -> tuple[Note, ...]:
            found = self._at(connection, household).rows(sql, account or "", after or "", limit)
            return tuple(Note(*row) for row in found)

        return await self._database.read(work)

    async def create(self, household: str, text: str, *, account: str | None, by: str) -> Note:
        """With an `account` it is private. Raises: InvalidInputError, TooLargeError, NotFoundError."""
        clean = _checked(text)

        def work(connection: Connection) -> Note:
            at = self._at(connection, household, by)
            at.check_exists()
            count = "SELECT count(*) FROM notes WHERE region = ? AND household = ? AND coalesce(account, '') = ?"
            if at.row(count, account or "")[0] >= MAX_NOTES:
                raise TooLargeError(f"The notebook is full: it has {MAX_NOTES} notes.")
            note = Note(new_id(), clean, account, at.now_s, by, 1)
            columns = "region, household, id, text, account, created_at_s, created_by, version"
            sql = f"INSERT INTO notes ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, 1)"
            at.run(sql, note.id, clean, account, at.now_s, by)
            at.tell("note", note.id, "created", 1)
            return note

        return await self._database.write(work)

    async def change(
        self, household: str, note: str, text: str, *, account: str | None, expected: int | None, by: str
    ) -> Note:
        """Raises: NotFoundError, StaleError, InvalidInputError."""
        clean = _checked(text)

        def work(connection: Connection) -> Note:
            at = self._at(connection, household, by)
            before = _note(at, note, account)
            check_version(before.version, expected)
            sql = "UPDATE notes SET text = ?, version = version + 1 WHERE region = ? AND household = ? AND id = ?"
            connection.execute(sql, (clean, self._region, household, note))
            at.tell("note", note, "changed", before.version + 1)
            return _note(at, note, account)

        return await self._database.write(work)

    async def remove(self, household: str, note: str, *, account: str | None, by: str) -> None:
        """Raises: NotFoundError."""

        def work(connection: Connection) -> None:
            at = self._at(connection, household, by)
            _note(at, note, account)
            at.run("DELETE FROM notes WHERE region = ? AND household = ? AND id = ?", note)
            at.tell("note", note, "removed")

        await self._database.write(work)

    async def get(self, household: str, note: str, account: str | None) -> Note:
        """Raises: NotFoundError."""
        return await self._database.read(lambda connection: _note(self._at(connection, household), note, account))


def _note(at: At, note: str, account: str | None) -> Note:
    sql = f"SELECT {_COLUMNS} FROM notes WHERE region = ? AND household = ? AND id = ? AND {_MAY_SEE}"
    found = at.row(sql, note, account or "")
    if found is None:
        raise NotFoundError("There is no such note.")
    return Note(*found)


def _checked(text: str) -> str:
    clean = text.strip()
    if not clean or len(clean) > MAX_TEXT_CHARS:
        raise InvalidInputError(f"A note has 1 to {MAX_TEXT_CHARS} characters.")
    return clean
