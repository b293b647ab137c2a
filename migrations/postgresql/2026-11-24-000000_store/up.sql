-- Keys of this database; schema versions are kept by Diesel.
CREATE TABLE meta (
    name TEXT NOT NULL,
    value BYTEA NOT NULL,
    PRIMARY KEY (name)
);

-- One row for each record: its facts, the last `updated` inside it, its wrapped key. 0 is the directory.
CREATE TABLE record (
    pid BIGINT NOT NULL,
    version BIGINT NOT NULL,
    state SMALLINT NOT NULL,
    ins_oid TEXT NOT NULL,
    ins_value TEXT NOT NULL,
    opposed_bris_de_glace SMALLINT NOT NULL,
    opposed_regulation SMALLINT NOT NULL,
    updated BIGINT NOT NULL,
    key BYTEA NOT NULL,
    PRIMARY KEY (pid)
);

-- Authorisations (1), blocked (2), treating (3), derived from Consents.
CREATE TABLE fact (
    pid BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    actor TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (pid, kind, actor, since, until)
);

-- Which records authorise a caller, each with its masks: searches over several records.
CREATE TABLE "access" (
    caller TEXT NOT NULL,
    pid BIGINT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    hard INTEGER NOT NULL,
    soft INTEGER NOT NULL,
    PRIMARY KEY (caller, pid, since, until)
);

-- INS (keyed hash) to record: one INS, one record.
CREATE TABLE identity (
    hash BYTEA NOT NULL,
    pid BIGINT NOT NULL,
    PRIMARY KEY (hash)
);

-- Ids chosen by clients.
CREATE TABLE alias (
    type SMALLINT NOT NULL,
    id TEXT NOT NULL,
    pid BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (type, id)
);

-- Current versions. origin 0: not made by a document; class '': none.
CREATE TABLE resource (
    pid BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    type SMALLINT NOT NULL,
    ts BIGINT NOT NULL,
    version BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    labels INTEGER NOT NULL,
    class TEXT NOT NULL,
    origin BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (pid, rid)
);

-- Superseded versions with the index rows that they had.
CREATE TABLE history (
    pid BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    version BIGINT NOT NULL,
    type SMALLINT NOT NULL,
    ts BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    labels INTEGER NOT NULL,
    body BYTEA NOT NULL,
    rows BYTEA NOT NULL,
    PRIMARY KEY (pid, rid, version)
);

-- Depositor and authors of a resource.
CREATE TABLE author (
    pid BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    who TEXT NOT NULL,
    PRIMARY KEY (pid, rid, who)
);

-- Equality.
CREATE TABLE token (
    pid BIGINT NOT NULL,
    key BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (pid, key, ts, rid)
);

-- Intervals [lo, hi).
CREATE TABLE "range" (
    pid BIGINT NOT NULL,
    key BIGINT NOT NULL,
    lo DOUBLE PRECISION NOT NULL,
    hi DOUBLE PRECISION NOT NULL,
    ts BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (pid, key, ts, rid, lo, hi)
);

-- Prefixes.
CREATE TABLE "text" (
    pid BIGINT NOT NULL,
    key BIGINT NOT NULL,
    norm TEXT COLLATE "C" NOT NULL,
    ts BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (pid, key, ts, rid, norm)
);

-- uniqueId (keyed hash) to DocumentReference and Binary; more than one only where a twin is hidden from its depositor.
CREATE TABLE document (
    pid BIGINT NOT NULL,
    uid BYTEA NOT NULL,
    rid BIGINT NOT NULL,
    content_rid BIGINT NOT NULL,
    PRIMARY KEY (pid, uid, rid)
);

-- Which original a Binary has.
CREATE TABLE content (
    pid BIGINT NOT NULL,
    rid BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    content_type TEXT NOT NULL,
    PRIMARY KEY (pid, rid)
);

-- Originals of documents: zstd, sealed under the record's key.
CREATE TABLE original (
    pid BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    sha1 BYTEA NOT NULL,
    size BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (pid, sha256)
);

-- The trace; pid -1: no record concerned.
CREATE TABLE audit (
    pid BIGINT NOT NULL,
    at BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    action SMALLINT NOT NULL,
    outcome SMALLINT NOT NULL,
    status SMALLINT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    profession TEXT NOT NULL,
    structure TEXT NOT NULL,
    purpose TEXT NOT NULL,
    type SMALLINT NOT NULL,
    rid BIGINT NOT NULL,
    query TEXT NOT NULL,
    request TEXT NOT NULL,
    PRIMARY KEY (pid, at, seq)
);

CREATE INDEX resource_updated ON resource (pid, updated);

CREATE INDEX resource_type ON resource (pid, type, ts, rid);

CREATE INDEX resource_origin ON resource (pid, origin) WHERE origin <> 0;

CREATE INDEX access_pid ON "access" (pid);

CREATE INDEX token_key ON token (key, ts, pid, rid);

CREATE INDEX range_key ON "range" (key, lo, hi, ts, pid, rid);

CREATE INDEX text_key ON "text" (key, norm, ts, pid, rid);

-- The directory: open, without person, without key.
INSERT INTO record (pid, version, state, ins_oid, ins_value, opposed_bris_de_glace, opposed_regulation, updated, key)
VALUES (0, 1, 1, '', '', 0, 0, 0, '');
