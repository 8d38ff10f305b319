"""For every table: whose its rows are, what of them is exported, and what an erasure does to them.

Export and erasure are made of this alone, and a test holds it against the schema: a table that is missing here would be
kept when somebody asks to be forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entendre.ports.households import ErasedKind

KINDS: tuple[ErasedKind, ...] = ("household", "account", "device")
DEVICES = (
    "SELECT id FROM fleet_devices WHERE region = $R AND household = $S"
    " UNION SELECT id FROM devices WHERE region = $R AND household = $S"
)
"""The devices of a household. `$R` is the region, `$S` the subject."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `household`, `account`, `device`: which of its rows are a subject's, as a condition; None: none are.

    `cleared`: columns that an erasure of a kind sets instead of deleting the rows. `kept`: kinds whose erasure leaves
    the rows, and `why` it may. `secret` columns are in no export; `documents` hold JSON. `private`: a further condition
    on what a household's export holds, `$A` being who asks. `bulk`: may have millions of rows, deleted in lots.
    """

    name: str
    what: str
    key: tuple[str, ...] = ("id",)
    household: str | None = None
    account: str | None = None
    device: str | None = None
    cleared: Mapping[ErasedKind, Mapping[str, str]] = field(default_factory=dict)
    kept: tuple[ErasedKind, ...] = ()
    why: str = ""
    secret: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    private: str = ""
    bulk: bool = False

    def condition(self, kind: ErasedKind) -> str | None:
        """Which rows are a subject's of a kind."""
        return {"household": self.household, "account": self.account, "device": self.device}[kind]


OURS = "household = $S"
THEIRS = "account = $S"
THE_DEVICE = "device = $S"
OF_DEVICES = f"device IN ({DEVICES})"
_SERIALS = "SELECT serial FROM fleet_devices WHERE region = $R AND household = $S"
_SERIAL = "SELECT serial FROM fleet_devices WHERE region = $R AND id = $S"
_NOT_OTHERS = "(account IS NULL OR account = $A)"
_OUT_OF_THE_BOX = {"household": "NULL", "room": "NULL", "language": "NULL", "name": "serial", "version": "version + 1"}
_EMPTY_TWIN = {
    name: value
    for section in ("tags", "desired", "reported")
    for name, value in ((section, "'{}'"), (f"{section}_version", f"{section}_version + 1"))
}
_NO_DETAIL_NOR_ZONE: Mapping[ErasedKind, Mapping[str, str]] = {
    "household": {"detail": "NULL", "zone": "''"},
    "device": {"detail": "NULL", "zone": "''"},
}
_NO_DETAIL: Mapping[ErasedKind, Mapping[str, str]] = {"household": {"detail": "NULL"}, "device": {"detail": "NULL"}}


def _of_makers(name: str, why: str, key: tuple[str, ...] = ("id",)) -> Table:
    return Table(name, "", key, why=why)


TABLES: tuple[Table, ...] = (
    # What was said and is remembered.
    Table("history", "What was said and answered.", household=OURS, account=THEIRS, private=_NOT_OTHERS, bulk=True),
    Table("notes", "The notebook.", household=OURS, account=THEIRS, private=_NOT_OTHERS),
    Table("executed", "Actions that were carried out.", ("household", "turn", "idx"), household=OURS,
          documents=("action", "result"), bulk=True),
    Table("rings", "What rang.", household=OURS),
    Table("jobs", "Timers, alarms and reminders.", household=OURS, documents=("days",)),
    Table("list_items", "Items of lists.", household=OURS),
    Table("lists", "Lists.", ("household", "id"), household=OURS, documents=("names",)),
    Table("routines", "Routines.", household=OURS, documents=("trigger", "actions")),
    Table("homes", "The home's appliances, scenes and names.", ("household",), household=OURS, documents=("document",)),
    Table("rooms", "Rooms.", household=OURS, documents=("names",)),
    # What devices told and were told.
    Table("telemetry", "What devices measured.", ("device", "id"), household=OF_DEVICES, device=THE_DEVICE,
          documents=("body",), bulk=True),
    Table("commands", "What devices were told to do.", household=OF_DEVICES, device=THE_DEVICE,
          documents=("payload", "result"), bulk=True),
    Table("device_tags", "Tags of devices.", ("brand", "path", "value", "device"), household=OF_DEVICES,
          device=THE_DEVICE, documents=("value",)),
    Table("twins", "State of devices, wanted and reported.", household=f"id IN ({DEVICES})", device="id = $S",
          cleared={"household": _EMPTY_TWIN}, documents=("tags", "desired", "reported")),
    Table("rollout_devices", "Updates that devices were offered.", ("rollout", "device"), household=OF_DEVICES,
          device=THE_DEVICE, cleared=_NO_DETAIL_NOR_ZONE),
    Table("rollout_events", "What happened at updates.", household=OF_DEVICES, device=THE_DEVICE, cleared=_NO_DETAIL),
    Table("changes", "Announcements of changes.", ("seq",), household=f"({OURS} OR subject IN ({DEVICES}))",
          account="subject = $S", device="subject = $S", documents=("data",), bulk=True),
    Table("outbox", "Announcements inside the home.", ("seq",), household=f"({OURS} OR subject IN ({DEVICES}))",
          device="subject = $S", bulk=True),
    Table("answered_requests", "Answers that were kept in case a request is sent again.",
          household=f"({OURS} OR {OF_DEVICES} OR device IN ({_SERIALS}))", account=THEIRS,
          device=f"(device = $S OR device IN ({_SERIAL}))", secret=("request_hash",)),
    # Codes, tokens, sign-ins.
    Table("join_codes", "Invitations.", household=f"({OURS} OR {OF_DEVICES})", device=THE_DEVICE,
          secret=("code_hash",)),
    Table("code_guesses", "Codes that were typed wrong.", household=OURS, account="guesser = $S"),
    Table("oauth_grants", "Sign-ins under way.", household=OF_DEVICES, account=THEIRS, device=THE_DEVICE,
          secret=("id", "user_code", "challenge")),
    Table("oauth_tokens", "Apps that were signed in.", account=THEIRS, secret=("secret_hash",)),
    Table("pending_devices", "Devices that show a code.", household=OF_DEVICES, device=THE_DEVICE,
          secret=("code", "challenge", "token", "token_hash")),
    Table("device_tokens", "Tokens of speakers.", household=OF_DEVICES, device=THE_DEVICE, secret=("secret_hash",)),
    Table("device_credentials", "Credentials of devices.", household=OF_DEVICES, device=THE_DEVICE,
          secret=("secret_hash",), kept=("household",),
          why="A device keeps what proves that it is itself, so that the next household can take it."),
    # People, homes, devices.
    Table("consents", "What was agreed.", household=OURS, account=THEIRS, private=_NOT_OTHERS),
    Table("staff", "Brands that a person works for.", account=THEIRS),
    Table("members", "Members of households.", household=OURS, account=THEIRS),
    Table("devices", "Speakers that were bound by a code.", household=OURS, device="id = $S"),
    Table("fleet_devices", "Speakers and laptops.", household=OURS, device="id = $S",
          cleared={"household": _OUT_OF_THE_BOX}),
    Table("households", "The household.", household="id = $S", documents=("retention",)),
    Table("accounts", "The person.", account="id = $S", secret=("password_hash",)),
    # What stays: ids and names of settings, or nothing of a person.
    Table("audit", "Administrative acts.", ("seq",), household=OURS, account="actor = $P", device="target = $S",
          kept=KINDS, why="Ids and names of settings alone, chained so that none can be taken out.",
          secret=("hash",), documents=("detail",)),
    Table("erasures", "Erasures.", household="subject = $S", account="subject = $S", device="subject = $S",
          kept=KINDS, why="Ids alone: what a restored backup must lose again."),
    _of_makers("directory", "Keyed hashes of serial numbers and logins: they tell nobody whose they are."),
    _of_makers("used_challenges", "Hashes of challenges that devices answered, for a minute."),
    _of_makers("cell_secrets", "Secrets that this server made for itself."),
    _of_makers("api_keys", "Keys of whoever runs the server and of brands."),
    _of_makers("device_keys", "Keys that makers burnt into chips."),
    _of_makers("oauth_clients", "Apps."),
    _of_makers("brands", "A maker's."),
    _of_makers("partnerships", "A maker's."),
    _of_makers("command_jobs", "A maker's: commands to all that a query finds."),
    _of_makers("products", "A maker's."),
    _of_makers("enrolment_groups", "A maker's."),
    _of_makers("webhooks", "A maker's."),
    _of_makers("signing_keys", "A maker's."),
    _of_makers("artifacts", "A maker's.", ("brand", "id")),
    _of_makers("releases", "A maker's."),
    _of_makers("rollouts", "A maker's."),
    _of_makers("rollout_groups", "A maker's: numbers only.", ("rollout", "grp")),
    _of_makers("download_keys", "The server's own."),
    _of_makers("retention_rules", "A maker's."),
)  # fmt: skip
BY_NAME: dict[str, Table] = {each.name: each for each in TABLES}


def bound(condition: str, region: str, subject: str, asker: str = "") -> tuple[str, tuple[Any, ...]]:
    """A condition with marks, and what they stand for. `$P` is the subject as the audit log names a person."""
    values = {"$R": region, "$S": subject, "$A": asker, "$P": f"person:{subject}"}
    given: list[str] = []
    pieces = condition.split("$")
    for piece in pieces[1:]:
        given.append(values[f"${piece[0]}"])
    return pieces[0] + "".join(f"?{piece[1:]}" for piece in pieces[1:]), tuple(given)
