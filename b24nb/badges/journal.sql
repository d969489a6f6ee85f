-- The tables of a journal file, as steps from each version to the next (`PRAGMA user_version`).

-- version 1
CREATE TABLE change_set (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host TEXT NOT NULL, user TEXT NOT NULL,  -- of the portal; never a secret
    kind TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE step (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    change_set INTEGER NOT NULL REFERENCES change_set (id),
    at REAL NOT NULL,                        -- of the last attempt; the first is committed before it leaves
    code TEXT NOT NULL, before TEXT, after TEXT,
    verdict TEXT,                            -- NULL: unfinished
    changed INTEGER,                         -- NULL: not known
    seen INTEGER NOT NULL DEFAULT 0,         -- the answer was lost, the outcome was seen by looking
    error TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT ''
);
CREATE INDEX unfinished_step ON step (id) WHERE verdict IS NULL;
PRAGMA user_version = 1;

-- version 2
DROP VIEW IF EXISTS entry;
-- what a look right before showed, where that is not `before`
ALTER TABLE step ADD COLUMN found TEXT;
CREATE TABLE adopted (host TEXT NOT NULL, user TEXT NOT NULL, by_host TEXT NOT NULL, by_user TEXT NOT NULL);
CREATE INDEX step_change_set ON step (change_set, changed);
PRAGMA user_version = 2;

-- version 3
-- of a step that releases a badge: the activity, and `before`, `after` and `found` are about it
ALTER TABLE step ADD COLUMN activity INTEGER;
PRAGMA user_version = 3;

-- version 4
-- what follows an unfinished change of the same badge or activity
CREATE INDEX step_about ON step (coalesce(activity, code) COLLATE NOCASE);
PRAGMA user_version = 4;
