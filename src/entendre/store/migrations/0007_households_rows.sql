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
