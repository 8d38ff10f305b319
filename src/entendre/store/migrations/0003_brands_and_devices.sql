-- Makers, their products, and the devices of the fleet. `brand` is in every row that belongs to one: no statement of one
-- brand's names another's. Names of brands and products are slugs, unique among those that have not ended.

CREATE TABLE brands (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    display_name    TEXT    NOT NULL,
    assistant       TEXT    NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    ended_at_s      REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX brands_by_name ON brands (region, name) WHERE ended_at_s IS NULL;

-- While one is open, the assistant of the brand's devices (of these products, all for []) is the partner's.
CREATE TABLE partnerships (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    partner         TEXT    NOT NULL,
    products        TEXT    NOT NULL,
    started_at_s    REAL    NOT NULL,
    started_by      TEXT    NOT NULL,
    ended_at_s      REAL,
    ended_by        TEXT,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX partnerships_of_brand ON partnerships (region, brand) WHERE ended_at_s IS NULL;
CREATE INDEX partnerships_of_partner ON partnerships (region, partner) WHERE ended_at_s IS NULL;

CREATE TABLE staff (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    account         TEXT    NOT NULL,
    role            TEXT    NOT NULL CHECK (role IN ('admin', 'engineer', 'support', 'viewer')),
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, brand, account)
) WITHOUT ROWID;
CREATE INDEX staff_by_account ON staff (region, account);

CREATE TABLE products (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    display_name    TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('speaker', 'laptop')),
    model           TEXT    NOT NULL,
    channel         TEXT    NOT NULL,
    tools           TEXT    NOT NULL,
    wake_words      TEXT    NOT NULL,
    voices          TEXT    NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    ended_at_s      REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX products_by_name ON products (region, brand, name) WHERE ended_at_s IS NULL;

-- `regions`: JSON of country to region, "*" for any other. Keys are kept as they are: they must compute HMACs.
CREATE TABLE enrolment_groups (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    product         TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('symmetric', 'x509')),
    primary_key     BLOB,
    secondary_key   BLOB,
    ca_pem          TEXT,
    regions         TEXT    NOT NULL,
    max_devices     INTEGER,
    enabled         INTEGER NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, brand, name)
) WITHOUT ROWID;

-- Every device, whatever protocol it speaks; one bound by a code has the same id in `devices`.
-- `online`: the process that holds its connection says so; `node` is that process.
CREATE TABLE fleet_devices (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    product         TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('speaker', 'laptop')),
    serial          TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    household       TEXT,
    room            TEXT,
    language        TEXT,
    country         TEXT,
    enrolment_group TEXT,
    state           TEXT    NOT NULL CHECK (state IN ('registered', 'active', 'revoked')),
    firmware        TEXT    NOT NULL,
    online          INTEGER NOT NULL,
    node            TEXT,
    connected_at_s  REAL,
    last_seen_at_s  REAL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    changed_at_s    REAL    NOT NULL,
    changed_by      TEXT    NOT NULL,
    revoked_at_s    REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, brand, serial)
) WITHOUT ROWID;
CREATE INDEX fleet_devices_of_brand ON fleet_devices (region, brand, id);
CREATE INDEX fleet_devices_of_product ON fleet_devices (region, brand, product, firmware);
CREATE INDEX fleet_devices_of_group ON fleet_devices (region, brand, enrolment_group) WHERE enrolment_group IS NOT NULL;
CREATE INDEX fleet_devices_of_household ON fleet_devices (region, household, id) WHERE household IS NOT NULL;
CREATE INDEX fleet_devices_online ON fleet_devices (region, node) WHERE online = 1;

-- A device's token (hashed), or the thumbprint of its certificate.
CREATE TABLE device_credentials (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('token', 'x509')),
    secret_hash     BLOB    NOT NULL,
    created_at_s    REAL    NOT NULL,
    used_at_s       REAL,
    expires_at_s    REAL,
    revoked_at_s    REAL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX device_credentials_of_device ON device_credentials (region, device);

-- Challenges that a device has answered, by hash: each counts once.
CREATE TABLE used_challenges (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    expires_at_s    REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX used_challenges_by_end ON used_challenges (region, expires_at_s);

-- Secrets that this cell made for itself; `id` says what for.
CREATE TABLE cell_secrets (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    secret          BLOB    NOT NULL,
    created_at_s    REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;

-- Which region a serial number or a login lives in, by keyed hash. Without personal data; asked at provisioning and sign-in.
CREATE TABLE directory (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('serial', 'login')),
    home            TEXT    NOT NULL,
    changed_at_s    REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;

ALTER TABLE api_keys ADD COLUMN brand TEXT;
ALTER TABLE api_keys ADD COLUMN role TEXT;

-- What was bound by a code before is in the fleet too.
INSERT INTO fleet_devices (region, id, brand, product, kind, serial, name, household, room, language, state, firmware,
        online, last_seen_at_s, created_at_s, created_by, changed_at_s, changed_by, revoked_at_s, version)
    SELECT region, id, 'home', 'speaker', 'speaker', coalesce(serial, hardware), name, 'home', room, language,
        CASE WHEN revoked_at_s IS NULL THEN 'active' ELSE 'revoked' END, firmware,
        0, last_seen_at_s, bound_at_s, bound_by, changed_at_s, changed_by, revoked_at_s, 1
    FROM devices;
