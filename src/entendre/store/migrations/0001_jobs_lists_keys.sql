-- Every key is (region, id); ids are UUIDv7. Times are Unix seconds. No foreign key crosses a region.

CREATE TABLE executed (
    region      TEXT    NOT NULL,
    turn        TEXT    NOT NULL,
    idx         INTEGER NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('started', 'done')),
    action      TEXT    NOT NULL,
    result      TEXT    NOT NULL,
    at_s        REAL    NOT NULL,
    PRIMARY KEY (region, turn, idx)
) WITHOUT ROWID;
CREATE INDEX executed_by_age ON executed (region, at_s);

CREATE TABLE jobs (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('timer', 'alarm', 'reminder')),
    device          TEXT    NOT NULL,
    language        TEXT    NOT NULL,
    created_at_s    REAL    NOT NULL,
    text            TEXT,
    total_s         INTEGER NOT NULL,
    paused_s        REAL,
    time            TEXT,
    date            TEXT,
    days            TEXT    NOT NULL,
    every           TEXT,
    enabled         INTEGER NOT NULL,
    skip_through    TEXT,
    due_at_s        REAL,
    snoozed_until_s REAL,
    rang_due_at_s   REAL,
    ended_at_s      REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX jobs_open ON jobs (region) WHERE ended_at_s IS NULL;
CREATE INDEX jobs_ended ON jobs (region, ended_at_s) WHERE ended_at_s IS NOT NULL;

CREATE TABLE rings (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    job             TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('timer', 'alarm', 'reminder')),
    text            TEXT,
    device          TEXT    NOT NULL,
    language        TEXT    NOT NULL,
    due_at_s        REAL    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('ringing', 'silenced', 'snoozed', 'expired', 'missed')),
    started_at_s    REAL    NOT NULL,
    delivered_to    TEXT,
    delivered_at_s  REAL,
    ended_at_s      REAL,
    reported        INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, job, due_at_s)
) WITHOUT ROWID;
CREATE INDEX rings_open ON rings (region) WHERE ended_at_s IS NULL;
CREATE INDEX rings_unreported ON rings (region) WHERE state = 'missed' AND reported = 0;
CREATE INDEX rings_ended ON rings (region, ended_at_s) WHERE ended_at_s IS NOT NULL;

CREATE TABLE lists (
    region      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    names       TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;

CREATE TABLE list_items (
    region      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    list        TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    quantity    TEXT,
    done        INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    FOREIGN KEY (region, list) REFERENCES lists (region, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX list_items_in_order ON list_items (region, list, position);

CREATE TABLE outbox (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    region      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    topic       TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    change      TEXT    NOT NULL,
    at_s        REAL    NOT NULL,
    UNIQUE (region, id)
);
CREATE INDEX outbox_by_age ON outbox (region, at_s);

CREATE TABLE api_keys (
    region          TEXT NOT NULL,
    id              TEXT NOT NULL,
    name            TEXT NOT NULL,
    secret_hash     BLOB NOT NULL,
    created_at_s    REAL NOT NULL,
    last_used_at_s  REAL,
    revoked_at_s    REAL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
