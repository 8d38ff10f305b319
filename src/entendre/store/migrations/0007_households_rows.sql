-- Rows of the home say whose they are. What was there before belongs to the household of this server's own home.

ALTER TABLE jobs ADD COLUMN household TEXT NOT NULL DEFAULT 'home';
ALTER TABLE rings ADD COLUMN household TEXT NOT NULL DEFAULT 'home';
ALTER TABLE devices ADD COLUMN household TEXT NOT NULL DEFAULT 'home';
DROP INDEX jobs_open;
DROP INDEX rings_open;
DROP INDEX rings_unreported;
CREATE INDEX jobs_open ON jobs (region, household) WHERE ended_at_s IS NULL;
CREATE INDEX rings_open ON rings (region, household) WHERE ended_at_s IS NULL;
CREATE INDEX rings_unreported ON rings (region, household) WHERE state = 'missed' AND reported = 0;

-- Two households may both have a list called shopping.
CREATE TABLE household_lists (
    region      TEXT    NOT NULL,
    household   TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    names       TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (region, household, id)
) WITHOUT ROWID;
CREATE TABLE household_list_items (
    region      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    household   TEXT    NOT NULL,
    list        TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    quantity    TEXT,
    done        INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    PRIMARY KEY (region, id),
    FOREIGN KEY (region, household, list) REFERENCES household_lists (region, household, id) ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO household_lists (region, household, id, names, version)
    SELECT region, 'home', id, names, version FROM lists;
INSERT INTO household_list_items (region, id, household, list, text, quantity, done, position)
    SELECT region, id, 'home', list, text, quantity, done, position FROM list_items;
DROP TABLE list_items;
DROP TABLE lists;
ALTER TABLE household_lists RENAME TO lists;
ALTER TABLE household_list_items RENAME TO list_items;
CREATE INDEX list_items_in_order ON list_items (region, household, list, position);

-- The same turn id may come from two households: neither learns of the other's.
CREATE TABLE household_executed (
    region      TEXT    NOT NULL,
    household   TEXT    NOT NULL,
    turn        TEXT    NOT NULL,
    idx         INTEGER NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('started', 'done')),
    action      TEXT    NOT NULL,
    result      TEXT    NOT NULL,
    at_s        REAL    NOT NULL,
    PRIMARY KEY (region, household, turn, idx)
) WITHOUT ROWID;
INSERT INTO household_executed (region, household, turn, idx, state, action, result, at_s)
    SELECT region, 'home', turn, idx, state, action, result, at_s FROM executed;
DROP TABLE executed;
ALTER TABLE household_executed RENAME TO executed;
CREATE INDEX executed_by_age ON executed (region, at_s);

ALTER TABLE outbox ADD COLUMN household TEXT NOT NULL DEFAULT 'home';

-- The home of a household as a document (docs/home.md). Its rooms are these and those of `rooms`.
CREATE TABLE homes (
    region          TEXT    NOT NULL,
    household       TEXT    NOT NULL,
    document        TEXT    NOT NULL,
    changed_at_s    REAL    NOT NULL,
    changed_by      TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    PRIMARY KEY (region, household)
) WITHOUT ROWID;

-- Whose jobs are due is asked of all households at once, every second.
CREATE INDEX jobs_due ON jobs (region, due_at_s, household) WHERE ended_at_s IS NULL AND due_at_s IS NOT NULL;
CREATE INDEX jobs_snoozed ON jobs (region, snoozed_until_s, household)
    WHERE ended_at_s IS NULL AND snoozed_until_s IS NOT NULL;

-- [postgresql]
-- PostgreSQL keeps samples of what columns hold; what people said and wrote is not to be sampled.
ALTER TABLE executed ALTER COLUMN action SET STATISTICS 0;
ALTER TABLE executed ALTER COLUMN result SET STATISTICS 0;
ALTER TABLE jobs ALTER COLUMN text SET STATISTICS 0;
ALTER TABLE rings ALTER COLUMN text SET STATISTICS 0;
ALTER TABLE lists ALTER COLUMN names SET STATISTICS 0;
ALTER TABLE homes ALTER COLUMN document SET STATISTICS 0;
ALTER TABLE list_items ALTER COLUMN text SET STATISTICS 0;
ALTER TABLE list_items ALTER COLUMN quantity SET STATISTICS 0;
ALTER TABLE devices ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE devices ALTER COLUMN room SET STATISTICS 0;
ALTER TABLE fleet_devices ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE fleet_devices ALTER COLUMN room SET STATISTICS 0;
ALTER TABLE twins ALTER COLUMN tags SET STATISTICS 0;
ALTER TABLE twins ALTER COLUMN desired SET STATISTICS 0;
ALTER TABLE twins ALTER COLUMN reported SET STATISTICS 0;
ALTER TABLE changes ALTER COLUMN data SET STATISTICS 0;
ALTER TABLE commands ALTER COLUMN payload SET STATISTICS 0;
ALTER TABLE commands ALTER COLUMN result SET STATISTICS 0;
ALTER TABLE telemetry ALTER COLUMN body SET STATISTICS 0;
ALTER TABLE accounts ALTER COLUMN login SET STATISTICS 0;
ALTER TABLE accounts ALTER COLUMN display_name SET STATISTICS 0;
ALTER TABLE households ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE members ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE rooms ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE rooms ALTER COLUMN names SET STATISTICS 0;
ALTER TABLE notes ALTER COLUMN text SET STATISTICS 0;
ALTER TABLE routines ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE routines ALTER COLUMN trigger SET STATISTICS 0;
ALTER TABLE routines ALTER COLUMN actions SET STATISTICS 0;
ALTER TABLE history ALTER COLUMN heard SET STATISTICS 0;
ALTER TABLE history ALTER COLUMN reply SET STATISTICS 0;
ALTER TABLE answered_requests ALTER COLUMN body SET STATISTICS 0;
-- [all]
