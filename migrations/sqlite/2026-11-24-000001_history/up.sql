-- Histories of a record and of a type, newest first.
CREATE INDEX history_updated ON history (pid, updated, rid, version);
