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

-- Signs download URLs of this region; made by whoever needs it first.
CREATE TABLE download_keys (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    secret          BLOB    NOT NULL,
    created_at_s    REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;

-- `plan` is JSON (fleet/rollouts.py:Plan). `grp`: the last group that was started, -1 for none. `rate_left` offers may be
-- made at `rate_at_s`. `finished_at_s` stays empty until nothing is left to do.
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
    rate_left       REAL    NOT NULL,
    rate_at_s       REAL    NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    started_at_s    REAL,
    finished_at_s   REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX rollouts_open ON rollouts (region, id) WHERE finished_at_s IS NULL;
CREATE INDEX rollouts_of_brand ON rollouts (region, brand, id);

-- How many of a group's devices are in each state, kept in the transactions that move them.
CREATE TABLE rollout_groups (
    region              TEXT    NOT NULL,
    rollout             TEXT    NOT NULL,
    grp                 INTEGER NOT NULL,
    brand               TEXT    NOT NULL,
    total               INTEGER NOT NULL,
    waiting             INTEGER NOT NULL,
    offered             INTEGER NOT NULL,
    downloading         INTEGER NOT NULL,
    installing          INTEGER NOT NULL,
    succeeded           INTEGER NOT NULL,
    failed              INTEGER NOT NULL,
    timed_out           INTEGER NOT NULL,
    cancelled           INTEGER NOT NULL,
    struck_waiting      INTEGER NOT NULL,
    struck_under_way    INTEGER NOT NULL,
    PRIMARY KEY (region, rollout, grp)
) WITHOUT ROWID;

-- `grp` is -1 until the device is given to a group, in the order of `place`. `attempt`: offers that were made;
-- `failures`: attempts that failed since it was let in. `running`: the version that it said last.
CREATE TABLE rollout_devices (
    region          TEXT    NOT NULL,
    rollout         TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    grp             INTEGER NOT NULL,
    place           TEXT    NOT NULL,
    zone            TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    attempt         INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    from_firmware   TEXT    NOT NULL,
    running         TEXT    NOT NULL,
    detail          TEXT,
    offered_at_s    REAL,
    deadline_s      REAL,
    changed_at_s    REAL    NOT NULL,
    PRIMARY KEY (region, rollout, device)
) WITHOUT ROWID;
CREATE INDEX rollout_devices_in_order ON rollout_devices (region, rollout, grp, place, device);
CREATE INDEX rollout_devices_by_state ON rollout_devices (region, rollout, state, device);
CREATE INDEX rollout_devices_of_device ON rollout_devices (region, device, rollout);
CREATE INDEX rollout_devices_due ON rollout_devices (region, deadline_s) WHERE deadline_s IS NOT NULL;

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
