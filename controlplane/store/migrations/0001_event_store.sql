-- The eventsourcing package's own layout, so that its recorders read and append here too.
CREATE TABLE stored_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    notification_id bigserial,
    PRIMARY KEY (originator_id, originator_version)
);
CREATE UNIQUE INDEX stored_events_notification_id_idx ON stored_events (notification_id);

CREATE TABLE notification_tracking (
    application_name text PRIMARY KEY,
    notification_id bigint
);
-- Without this row the package takes the table for its older layout and renames it away.
INSERT INTO notification_tracking VALUES ('__migration__', 1);

-- A retry is recognised here. The reply is not kept: it is the events of the command, which
-- are the `events` positions up to `position`.
CREATE TABLE commands (
    organization text,
    actor text,
    key text,
    request_hash bytea NOT NULL,
    events bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (organization, actor, key)
);
-- Rows are dropped a day later by their position; a BRIN index costs the append next to nothing.
CREATE INDEX commands_position_idx ON commands USING brin (position);

-- When each group commit happened, by the database's clock, never going back.
CREATE TABLE commits (
    position bigint PRIMARY KEY,
    committed_at timestamptz NOT NULL
);
CREATE INDEX commits_committed_at_idx ON commits (committed_at);

-- Contracts and other large content; an event holds the hash.
CREATE TABLE documents (
    sha256 bytea PRIMARY KEY CHECK (length(sha256) = 32),
    body bytea NOT NULL
);

-- The keys under which personal data is sealed; a deleted row erases the person everywhere.
CREATE TABLE person_keys (
    organization uuid,
    person uuid,
    key bytea NOT NULL CHECK (length(key) = 32),
    PRIMARY KEY (organization, person)
);

-- A server that was restored or promoted has another identity; a later epoch makes every
-- cursor of an earlier one recognisable.
CREATE TABLE epochs (
    epoch bigint PRIMARY KEY,
    system_identifier bigint NOT NULL,
    timeline bigint NOT NULL,
    database oid NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (system_identifier, timeline, database)
);

-- Which generation of a read model the queries of a VERSION read.
CREATE TABLE read_models (
    name text,
    version int,
    generation int NOT NULL,
    PRIMARY KEY (name, version)
);

-- Append a batch of saves; return the position before it and the saves that were refused, because
-- a stream they read or write moved on or their command is already a row. Every other save is
-- stored whole. Saves count from 1; the arrays come in groups: events, streams that were only
-- read, saves (one element a save), documents.
CREATE FUNCTION append_saves(
    saves bigint[], ids uuid[], versions bigint[], topics text[], states bytea[],
    reading bigint[], read_ids uuid[], read_versions bigint[],
    organizations text[], actors text[], keys text[], hashes bytea[], sizes bigint[],
    shas bytea[], bodies bytea[],
    OUT head bigint, OUT refused bigint[]
) LANGUAGE plpgsql
-- The index gives the head and the clashes; with stale statistics the planner may scan instead.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET enable_hashjoin = off SET enable_mergejoin = off
SET lock_timeout = '5s'
AS $$
DECLARE
    appended bigint;
BEGIN
    -- Before the lock, because they are large and the same content is the same row.
    IF cardinality(shas) > 0 THEN
        INSERT INTO documents SELECT DISTINCT ON (d.sha) d.sha, d.body
        FROM unnest(shas, bodies) AS d (sha, body) ON CONFLICT DO NOTHING;
    END IF;
    -- Positions must become visible in their order, or a reader that tails them passes over
    -- those that commit late. The package takes the same lock; reading goes on beside it.
    LOCK TABLE stored_events IN EXCLUSIVE MODE;
    SELECT coalesce(max(newest.notification_id), 0) INTO head FROM (
        SELECT notification_id FROM stored_events ORDER BY notification_id DESC LIMIT 1
    ) AS newest;
    -- Versions have no gaps: a stream moved on exactly if it has the next one.
    SELECT coalesce(array_agg(DISTINCT r.save), '{}') INTO refused
    FROM unnest(reading, read_ids, read_versions) AS r (save, id, version)
    JOIN stored_events AS s ON s.originator_id = r.id AND s.originator_version = r.version + 1;
    FOR attempt IN 1..2 LOOP
        BEGIN
            -- Ids are given, not drawn: what is rolled back leaves no gap.
            INSERT INTO stored_events
                (originator_id, originator_version, topic, state, notification_id)
            SELECT e.id, e.version, e.topic, e.state, head + row_number() OVER (ORDER BY e.nth)
            FROM unnest(saves, ids, versions, topics, states)
                WITH ORDINALITY AS e (save, id, version, topic, state, nth)
            WHERE e.save <> ALL (refused);
            GET DIAGNOSTICS appended = ROW_COUNT;

            INSERT INTO commands (organization, actor, key, request_hash, events, position)
            SELECT c.organization, c.actor, c.key, c.hash, c.size,
                head + sum(c.size) OVER (ORDER BY c.save)
            FROM unnest(organizations, actors, keys, hashes, sizes)
                WITH ORDINALITY AS c (organization, actor, key, hash, size, save)
            WHERE c.save <> ALL (refused);
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF attempt = 2 THEN
                RAISE;
            END IF;
            SELECT refused || coalesce(array_agg(clash.save), '{}') INTO refused FROM (
                SELECT e.save FROM unnest(saves, ids, versions) AS e (save, id, version)
                JOIN stored_events AS s
                    ON s.originator_id = e.id AND s.originator_version = e.version
                UNION
                SELECT c.save FROM unnest(organizations, actors, keys)
                    WITH ORDINALITY AS c (organization, actor, key, save)
                JOIN commands USING (organization, actor, key)
            ) AS clash;
        END;
    END LOOP;
    IF appended > 0 THEN
        INSERT INTO commits SELECT head + appended, greatest(clock_timestamp(), (
            SELECT committed_at FROM commits ORDER BY commits.position DESC LIMIT 1));
        -- The package draws its ids from the sequence, under the same lock.
        PERFORM setval('stored_events_notification_id_seq', head + appended);
        NOTIFY stored_events;
    END IF;
END $$;

-- The epoch of this server; the first call on another server, timeline or database raises it.
CREATE FUNCTION current_epoch() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found_epoch bigint;
    identifier bigint := (SELECT system_identifier FROM pg_control_system());
    line bigint := (SELECT timeline_id FROM pg_control_checkpoint());
    this_database oid := (SELECT oid FROM pg_database WHERE datname = current_database());
BEGIN
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
