-- Names are the portal's own where the wire shows them; `collated` is a code without regard to case. What is
-- the same badge is a switch of the portal, so no column says it.
CREATE TABLE IF NOT EXISTS badge (
    id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, collated TEXT NOT NULL,
    title TEXT NOT NULL, value TEXT NOT NULL, type TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS badge_by_code ON badge (code);
CREATE INDEX IF NOT EXISTS badge_by_collated ON badge (collated);
CREATE TABLE IF NOT EXISTS deal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, stage_id TEXT NOT NULL,
    opportunity REAL NOT NULL, currency_id TEXT NOT NULL, assigned_by_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner_type_id INTEGER NOT NULL DEFAULT 2,
    owner_id INTEGER NOT NULL DEFAULT 0, provider_id TEXT NOT NULL DEFAULT 'CRM_TODO',
    provider_type_id TEXT NOT NULL DEFAULT 'TODO', subject TEXT NOT NULL DEFAULT '',
    completed TEXT NOT NULL DEFAULT 'N', responsible_id INTEGER NOT NULL DEFAULT 1, created REAL NOT NULL,
    last_updated REAL NOT NULL, deadline TEXT, origin_id TEXT, originator_id TEXT,
    is_incoming_channel TEXT NOT NULL DEFAULT 'N', ping_offsets TEXT NOT NULL DEFAULT '[]',
    provider_params TEXT NOT NULL DEFAULT '[]', layout TEXT NOT NULL DEFAULT '[]');
-- An activity as the classic methods filter, order and show it; times are texts in the portal's zone, see php.py.
CREATE VIEW IF NOT EXISTS shown_activity AS SELECT
    id, owner_type_id, owner_id, provider_id, provider_type_id, subject, completed, responsible_id, deadline,
    origin_id, originator_id, is_incoming_channel, provider_params, '6' AS type_id,
    strftime('%Y-%m-%dT%H:%M:%S+03:00', CAST(created AS INTEGER), 'unixepoch', '+3 hours') AS created,
    strftime('%Y-%m-%dT%H:%M:%S+03:00', CAST(last_updated AS INTEGER), 'unixepoch', '+3 hours') AS last_updated
    FROM activity;
CREATE TABLE IF NOT EXISTS attachment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, created REAL NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL,
    entity_type_id INTEGER NOT NULL, entity_id INTEGER NOT NULL,
    activity_id INTEGER NOT NULL REFERENCES activity (id) ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS attachment_of_badge ON attachment (value);
CREATE INDEX IF NOT EXISTS attachment_of_item ON attachment (entity_type_id, entity_id);
CREATE INDEX IF NOT EXISTS attachment_of_activity ON attachment (activity_id);
CREATE TABLE IF NOT EXISTS user (
    id INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL, last_name TEXT NOT NULL,
    admin INTEGER NOT NULL, kind TEXT NOT NULL, active INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS webhook (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, code TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES user (id), scopes TEXT NOT NULL, active INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS application (
    client_id TEXT PRIMARY KEY, client_secret TEXT NOT NULL, member_id TEXT NOT NULL, scopes TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS token (
    access_token TEXT PRIMARY KEY, refresh_token TEXT UNIQUE, client_id TEXT NOT NULL,
    user_id INTEGER NOT NULL, scopes TEXT NOT NULL, expires REAL NOT NULL, refresh_expires REAL NOT NULL);
CREATE TABLE IF NOT EXISTS authorization_code (
    code TEXT PRIMARY KEY, client_id TEXT NOT NULL, user_id INTEGER NOT NULL, scopes TEXT NOT NULL,
    expires REAL NOT NULL);
