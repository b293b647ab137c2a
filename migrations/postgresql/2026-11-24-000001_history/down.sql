DROP INDEX history_updated;
