-- Firmware and software, and how it reaches devices. `id` of an artifact is the SHA-256 of its content, in hexadecimal.

CREATE TABLE signing_keys (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    public_key      BLOB    NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    revoked_at_s    REAL,
    PRIMARY KEY (region, id),
    UNIQUE (region, brand, name)
) WITHOUT ROWID;

CREATE TABLE artifacts (
    region          TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    size_bytes      INTEGER NOT NULL,
    received_bytes  INTEGER NOT NULL,
    complete        INTEGER NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    PRIMARY KEY (region, brand, id)
) WITHOUT ROWID;

-- `manifest` is the signed text itself, byte for byte: what is signed is what was uploaded.
CREATE TABLE releases (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    product         TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('firmware', 'software')),
    number          TEXT    NOT NULL,
    channel         TEXT    NOT NULL,
    notes           TEXT    NOT NULL,
    manifest        TEXT    NOT NULL,
    signature       BLOB    NOT NULL,
    signing_key     TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('draft', 'published', 'withdrawn')),
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, brand, product, kind, number)
) WITHOUT ROWID;

-- `groups`, `window` and `counts` are JSON. The rules are in fleet/rollouts.py.
CREATE TABLE rollouts (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    release         TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    query           TEXT    NOT NULL,
    plan            TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    grp             INTEGER NOT NULL,
    reason          TEXT,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    started_at_s    REAL,
    finished_at_s   REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX rollouts_open ON rollouts (region, id) WHERE finished_at_s IS NULL;
CREATE INDEX rollouts_of_brand ON rollouts (region, brand, id);

CREATE TABLE rollout_devices (
    region          TEXT    NOT NULL,
    rollout         TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    grp             INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    attempt         INTEGER NOT NULL,
    from_firmware   TEXT    NOT NULL,
    detail          TEXT,
    offered_at_s    REAL,
    changed_at_s    REAL    NOT NULL,
    PRIMARY KEY (region, rollout, device)
) WITHOUT ROWID;
CREATE INDEX rollout_devices_by_state ON rollout_devices (region, rollout, grp, state, device);
CREATE INDEX rollout_devices_of_device ON rollout_devices (region, device);

-- The history of each device and of the rollout itself (then `device` is NULL).
CREATE TABLE rollout_events (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    rollout         TEXT    NOT NULL,
    device          TEXT,
    event           TEXT    NOT NULL,
    detail          TEXT,
    by_whom         TEXT    NOT NULL,
    at_s            REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX rollout_events_in_order ON rollout_events (region, rollout, id);
CREATE INDEX rollout_events_of_device ON rollout_events (region, device, id) WHERE device IS NOT NULL;
