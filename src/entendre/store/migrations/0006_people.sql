-- People, their homes, who may do what, and what was agreed.

-- One person across laptops and speakers. `login` is a mail address in lower case, or a name.
CREATE TABLE accounts (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    login           TEXT    NOT NULL,
    display_name    TEXT    NOT NULL,
    password_hash   TEXT,
    language        TEXT,
    country         TEXT,
    created_at_s    REAL    NOT NULL,
    disabled_at_s   REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, login)
) WITHOUT ROWID;

CREATE TABLE oauth_clients (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    redirect_uris   TEXT    NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;

-- Codes that wait: of PKCE (kind 'code') and of the device flow (kind 'device', RFC 8628). `id` is the hash of the long
-- code, `user_code` the short one that a person types or hears. A speaker may ask for a household's: `device` names it.
CREATE TABLE oauth_grants (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('code', 'device')),
    client          TEXT    NOT NULL,
    user_code       TEXT,
    account         TEXT,
    device          TEXT,
    redirect_uri    TEXT,
    challenge       TEXT,
    scope           TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('waiting', 'approved', 'denied', 'used')),
    address         TEXT    NOT NULL,
    polled_at_s     REAL,
    interval_s      REAL    NOT NULL,
    created_at_s    REAL    NOT NULL,
    expires_at_s    REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX oauth_grants_by_code ON oauth_grants (region, user_code) WHERE user_code IS NOT NULL;
CREATE INDEX oauth_grants_by_end ON oauth_grants (region, expires_at_s);

-- `family`: all that came of one sign-in. A refresh token that is used twice ends its family.
CREATE TABLE oauth_tokens (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('access', 'refresh')),
    secret_hash     BLOB    NOT NULL,
    family          TEXT    NOT NULL,
    client          TEXT    NOT NULL,
    account         TEXT    NOT NULL,
    scope           TEXT    NOT NULL,
    created_at_s    REAL    NOT NULL,
    expires_at_s    REAL    NOT NULL,
    used_at_s       REAL,
    revoked_at_s    REAL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX oauth_tokens_of_family ON oauth_tokens (region, family);
CREATE INDEX oauth_tokens_of_account ON oauth_tokens (region, account);
CREATE INDEX oauth_tokens_by_end ON oauth_tokens (region, expires_at_s);

CREATE TABLE households (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    language        TEXT,
    country         TEXT,
    time_zone       TEXT,
    retention       TEXT    NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX households_of_brand ON households (region, brand, id);

CREATE TABLE members (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    household       TEXT    NOT NULL,
    account         TEXT,
    name            TEXT    NOT NULL,
    role            TEXT    NOT NULL CHECK (role IN ('owner', 'adult', 'child', 'guest')),
    joined_at_s     REAL    NOT NULL,
    added_by        TEXT    NOT NULL,
    expires_at_s    REAL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, household, account)
) WITHOUT ROWID;
CREATE INDEX members_by_account ON members (region, account) WHERE account IS NOT NULL;

CREATE TABLE rooms (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    household       TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    names           TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX rooms_of_household ON rooms (region, household, id);

-- Short codes by which a person joins a household, or a device comes into one (its household is not known yet). Only a
-- hash is kept. `until_s`: when a guest who joins by it leaves again.
CREATE TABLE join_codes (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('member', 'device')),
    household       TEXT,
    code_hash       BLOB    NOT NULL,
    role            TEXT,
    until_s         REAL,
    device          TEXT,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    expires_at_s    REAL    NOT NULL,
    used_at_s       REAL,
    PRIMARY KEY (region, id),
    UNIQUE (region, code_hash)
) WITHOUT ROWID;
CREATE INDEX join_codes_of_household ON join_codes (region, household) WHERE household IS NOT NULL;
CREATE INDEX join_codes_of_device ON join_codes (region, device) WHERE device IS NOT NULL;
CREATE INDEX join_codes_by_end ON join_codes (region, expires_at_s);

-- Codes that were guessed wrong: how many is what limits guessing. `guesser` is an id, of an account mostly.
CREATE TABLE code_guesses (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('member', 'device')),
    guesser         TEXT    NOT NULL,
    household       TEXT,
    at_s            REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX code_guesses_by_age ON code_guesses (region, kind, at_s);

-- What a household wants remembered; a note with an account is that person's alone.
CREATE TABLE notes (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    household       TEXT    NOT NULL,
    account         TEXT,
    text            TEXT    NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX notes_of_household ON notes (region, household, id);

-- `when_said` and `actions` are JSON: the phrase or the time that starts it, and what is done.
CREATE TABLE routines (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    household       TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    trigger         TEXT    NOT NULL,
    actions         TEXT    NOT NULL,
    enabled         INTEGER NOT NULL,
    created_at_s    REAL    NOT NULL,
    created_by      TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX routines_of_household ON routines (region, household, id);

-- What was said and answered. Kept only as long as the household's retention says; nothing by default.
CREATE TABLE history (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    household       TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    account         TEXT,
    language        TEXT    NOT NULL,
    heard           TEXT    NOT NULL,
    reply           TEXT    NOT NULL,
    outcome         TEXT    NOT NULL,
    at_s            REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX history_of_household ON history (region, household, at_s);

-- Never changed, only added to: the newest row of a subject and purpose is what holds. The subject is the household
-- (`account` and `member` are NULL), a person, or a member without an account, for whom a guardian speaks.
CREATE TABLE consents (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    household       TEXT,
    account         TEXT,
    member          TEXT,
    purpose         TEXT    NOT NULL,
    wording         TEXT    NOT NULL,
    language        TEXT    NOT NULL,
    given           INTEGER NOT NULL,
    at_s            REAL    NOT NULL,
    by_whom         TEXT    NOT NULL,
    channel         TEXT    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX consents_of_household ON consents (region, household, purpose, id);
CREATE INDEX consents_of_account ON consents (region, account, purpose, id);

-- Days that a brand keeps a kind of data: telemetry, commands, changes, history.
CREATE TABLE retention_rules (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    days            REAL    NOT NULL,
    changed_at_s    REAL    NOT NULL,
    changed_by      TEXT    NOT NULL,
    PRIMARY KEY (region, id),
    UNIQUE (region, brand, kind)
) WITHOUT ROWID;

-- Whose data was erased, by id alone: done again after a backup is restored.
CREATE TABLE erasures (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('household', 'account', 'device')),
    subject         TEXT    NOT NULL,
    at_s            REAL    NOT NULL,
    by_whom         TEXT    NOT NULL,
    rows_gone       INTEGER NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;

-- Every administrative act. Ids and names of settings, never what people said. `hash` covers the row and the hash before
-- it, so that a row that is taken out or changed shows.
CREATE TABLE audit (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    brand           TEXT,
    household       TEXT,
    actor           TEXT    NOT NULL,
    act             TEXT    NOT NULL,
    target          TEXT    NOT NULL,
    detail          TEXT    NOT NULL,
    at_s            REAL    NOT NULL,
    hash            BLOB    NOT NULL,
    UNIQUE (region, id)
);
CREATE INDEX audit_of_brand ON audit (region, brand, seq) WHERE brand IS NOT NULL;
CREATE INDEX audit_of_household ON audit (region, household, seq) WHERE household IS NOT NULL;

-- [sqlite]
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END;
-- [postgresql]
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'audit rows are never changed or deleted'; END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
-- [all]

-- Answers to requests that carry an Idempotency-Key, so that one that is sent again does nothing again. An answer may
-- repeat what somebody wrote, so a row says whose it is.
CREATE TABLE answered_requests (
    region          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    household       TEXT,
    account         TEXT,
    device          TEXT,
    request_hash    BLOB    NOT NULL,
    status          INTEGER,
    body            TEXT,
    at_s            REAL    NOT NULL,
    PRIMARY KEY (region, id)
) WITHOUT ROWID;
CREATE INDEX answered_requests_by_age ON answered_requests (region, at_s);
