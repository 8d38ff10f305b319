-- Devices of the household, those that wait to be bound, their tokens, and keys that makers burnt in.
-- `hardware` is a MAC address in lower case; `by` columns name who did it ("cli", or the id of an API key).

CREATE TABLE devices (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    hardware        TEXT    NOT NULL,
    client          TEXT    NOT NULL,
    serial          TEXT,
    name            TEXT    NOT NULL,
    room            TEXT,
    language        TEXT,
    board           TEXT    NOT NULL,
    firmware        TEXT    NOT NULL,
    attested        INTEGER NOT NULL,
    bound_at_s      REAL    NOT NULL,
    bound_by        TEXT    NOT NULL,
    last_seen_at_s  REAL,
    changed_at_s    REAL    NOT NULL,
    changed_by      TEXT    NOT NULL,
    revoked_at_s    REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, kind, hardware)
) WITHOUT ROWID;
CREATE UNIQUE INDEX devices_by_serial ON devices (region, kind, serial) WHERE serial IS NOT NULL;

-- One row for each (hardware, client) that presents itself. `code` is set while a person may bind it, `device` once one
-- did; a bound device with an enrolled key has a row without a code while it proves its key again. `token` opens nothing
-- until the challenge that was handed out with it counts.
CREATE TABLE pending_devices (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    hardware        TEXT    NOT NULL,
    client          TEXT    NOT NULL,
    serial          TEXT,
    board           TEXT    NOT NULL,
    firmware        TEXT    NOT NULL,
    language        TEXT    NOT NULL,
    address         TEXT    NOT NULL,
    code            TEXT,
    challenge       TEXT,
    token           TEXT,
    token_hash      BLOB,
    proven_at_s     REAL,
    passed_at_s     REAL,
    device          TEXT,
    created_at_s    REAL    NOT NULL,
    expires_at_s    REAL    NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, kind, hardware, client),
    UNIQUE (region, code)
) WITHOUT ROWID;
CREATE INDEX pending_devices_by_end ON pending_devices (region, expires_at_s);
CREATE INDEX pending_devices_by_address ON pending_devices (region, address);

CREATE TABLE device_tokens (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    client          TEXT    NOT NULL,
    secret_hash     BLOB    NOT NULL,
    created_at_s    REAL    NOT NULL,
    used_at_s       REAL,
    expires_at_s    REAL,
    revoked_at_s    REAL,
    PRIMARY KEY (region, id),
    FOREIGN KEY (region, device) REFERENCES devices (region, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX device_tokens_by_device ON device_tokens (region, device, created_at_s);

-- The key itself, as it must compute HMACs.
CREATE TABLE device_keys (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    serial          TEXT    NOT NULL,
    key             BLOB    NOT NULL,
    enrolled_at_s   REAL    NOT NULL,
    enrolled_by     TEXT    NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, serial)
) WITHOUT ROWID;
