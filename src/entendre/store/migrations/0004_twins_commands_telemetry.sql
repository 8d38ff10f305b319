-- What the fleet says and is told. Documents are JSON texts.

-- Every section has a version of its own that only rises; the etag of a twin is made of the three.
CREATE TABLE twins (
    region              TEXT    NOT NULL,
    id                  TEXT    NOT NULL,
    brand               TEXT    NOT NULL,
    tags                TEXT    NOT NULL,
    tags_version        INTEGER NOT NULL,
    desired             TEXT    NOT NULL,
    desired_version     INTEGER NOT NULL,
    reported            TEXT    NOT NULL,
    reported_version    INTEGER NOT NULL,
    changed_at_s        REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;

-- [postgresql]
-- Room on each page for the next version of its rows, so that changing a section touches no index.
ALTER TABLE twins SET (fillfactor = 60);
ALTER TABLE fleet_devices SET (fillfactor = 80);
-- [all]
INSERT INTO twins (region, id, brand, tags, tags_version, desired, desired_version, reported, reported_version,
        changed_at_s)
    SELECT region, id, brand, '{}', 1, '{}', 1, '{}', 1, changed_at_s FROM fleet_devices;

-- The scalar leaves of the tags, so that a query by tag finds its devices by index. `value` is JSON of the scalar.
CREATE TABLE device_tags (
    region          TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    path            TEXT    NOT NULL,
    value           TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    PRIMARY KEY (region, brand, path, value, device)
) WITHOUT ROWID;
CREATE INDEX device_tags_of_device ON device_tags (region, brand, device, path);

-- What changed, in order: the change feed of a brand or a household. `data` is what a reader needs not to ask again.
CREATE TABLE changes (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    region          TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    household       TEXT,
    topic           TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    change          TEXT    NOT NULL,
    version         INTEGER,
    data            TEXT,
    at_s            REAL    NOT NULL
);
CREATE INDEX changes_of_brand ON changes (region, brand, seq);
CREATE INDEX changes_by_age ON changes (region, at_s);

-- A command has effect once on a device, however often it is delivered: its id is the idempotency key.
CREATE TABLE commands (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    payload         TEXT    NOT NULL,
    mode            TEXT    NOT NULL CHECK (mode IN ('direct', 'queued')),
    state           TEXT    NOT NULL CHECK (state IN ('queued', 'delivered', 'done', 'failed', 'expired', 'cancelled')),
    idempotency_key TEXT,
    job             TEXT,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    expires_at_s    REAL    NOT NULL,
    delivered_at_s  REAL,
    deliveries      INTEGER NOT NULL,
    finished_at_s   REAL,
    status          INTEGER,
    result          TEXT,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX commands_once ON commands (region, brand, device, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX commands_open ON commands (region, device, id) WHERE finished_at_s IS NULL;
CREATE INDEX commands_expiring ON commands (region, expires_at_s) WHERE finished_at_s IS NULL;
CREATE INDEX commands_of_device ON commands (region, brand, device, id);
CREATE INDEX commands_finished ON commands (region, brand, finished_at_s) WHERE finished_at_s IS NOT NULL;
CREATE INDEX commands_of_job ON commands (region, job, state) WHERE job IS NOT NULL;

-- One command for every device that a query finds. `reached` is the last device that was asked about, in order of ids.
CREATE TABLE command_jobs (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    query           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    payload         TEXT    NOT NULL,
    ttl_s           REAL    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('running', 'queued', 'cancelled', 'failed')),
    reached         TEXT    NOT NULL,
    queued          INTEGER NOT NULL,
    refused         INTEGER NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    finished_at_s   REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX command_jobs_of_brand ON command_jobs (region, brand, id);
CREATE INDEX command_jobs_running ON command_jobs (region, id) WHERE finished_at_s IS NULL;

-- `id` is the device's own message id where it gives one, so that a message sent twice is one row.
CREATE TABLE telemetry (
    region          TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    at_s            REAL    NOT NULL,
    received_at_s   REAL    NOT NULL,
    body            TEXT    NOT NULL,
    PRIMARY KEY (region, device, id)
) WITHOUT ROWID;
CREATE INDEX telemetry_in_time ON telemetry (region, device, at_s);
CREATE INDEX telemetry_of_brand ON telemetry (region, brand, received_at_s);

CREATE TABLE webhooks (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    url             TEXT    NOT NULL,
    secret          BLOB    NOT NULL,
    topics          TEXT    NOT NULL,
    enabled         INTEGER NOT NULL,
    delivered_seq   INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    next_at_s       REAL,
    last_status     INTEGER,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
