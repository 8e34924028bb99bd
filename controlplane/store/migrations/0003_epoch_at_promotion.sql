-- Which history this server writes. Its control file names the timeline of the last checkpoint,
-- and a standby that was promoted makes its next one minutes later: until then that would still be
-- the timeline of the primary that is gone. The name of the file being written is right at once.
CREATE OR REPLACE FUNCTION current_epoch() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found_epoch bigint;
    identifier bigint := (SELECT system_identifier FROM pg_control_system());
    line bigint;
    this_database oid := (SELECT oid FROM pg_database WHERE datname = current_database());
BEGIN
    IF pg_is_in_recovery() THEN
        line := (SELECT timeline_id FROM pg_control_checkpoint());
    ELSE
        line := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint;
    END IF;
    SELECT epoch INTO found_epoch FROM epochs
    WHERE (system_identifier, timeline, database) = (identifier, line, this_database);
    IF found_epoch IS NULL THEN
        LOCK TABLE epochs IN EXCLUSIVE MODE;
        INSERT INTO epochs (epoch, system_identifier, timeline, database)
        SELECT coalesce(max(epoch), 0) + 1, identifier, line, this_database FROM epochs
        ON CONFLICT (system_identifier, timeline, database) DO UPDATE SET epoch = epochs.epoch
        RETURNING epoch INTO found_epoch;
    END IF;
    RETURN found_epoch;
END $$;
