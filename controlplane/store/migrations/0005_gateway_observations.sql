-- What gateways said they ran before what they say now, what they could not run, and when they were
-- last heard. Observations, not events: by this server's clock, and kept for a while only.

-- It named the current configuration of its group and yet had another hash.
ALTER TABLE gateway_acknowledgements ADD COLUMN diverged boolean NOT NULL DEFAULT false;

-- What a gateway ran until it said that it runs something else: a row is written once, when it ends.
CREATE TABLE gateway_acknowledgements_past (
    organization_id uuid,
    gateway_id uuid,
    running_since timestamptz,
    running_until timestamptz NOT NULL,
    acknowledged_at timestamptz NOT NULL,
    epoch bigint NOT NULL,
    position bigint NOT NULL,
    content_hash text NOT NULL,
    diverged boolean NOT NULL,
    PRIMARY KEY (organization_id, gateway_id, running_since)
);
-- Rows end in the order of time and are dropped in it; a BRIN index costs the append next to nothing.
CREATE INDEX gateway_acknowledgements_past_until_idx
    ON gateway_acknowledgements_past USING brin (running_until);

-- Here and not in the statement that replaces the row: two processes may replace it at once, and
-- only the row itself knows what it was.
CREATE FUNCTION keep_former_acknowledgement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO gateway_acknowledgements_past (organization_id, gateway_id, running_since,
        running_until, acknowledged_at, epoch, position, content_hash, diverged)
    VALUES (OLD.organization_id, OLD.gateway_id, OLD.running_since,
        NEW.running_since, OLD.acknowledged_at, OLD.epoch, OLD.position, OLD.content_hash,
        OLD.diverged);
    RETURN NULL;
END $$;
CREATE TRIGGER keep_former AFTER UPDATE ON gateway_acknowledgements FOR EACH ROW
    WHEN (OLD.running_since <> NEW.running_since) EXECUTE FUNCTION keep_former_acknowledgement();

-- Everything a gateway ran, what it runs now without an end.
CREATE VIEW gateway_run AS
SELECT organization_id, gateway_id, running_since, NULL::timestamptz AS running_until,
    acknowledged_at, epoch, position, content_hash, diverged
FROM gateway_acknowledgements
UNION ALL
SELECT organization_id, gateway_id, running_since, running_until,
    acknowledged_at, epoch, position, content_hash, diverged
FROM gateway_acknowledgements_past;

-- What a gateway refused to run: one row for a configuration, however often it says so.
CREATE TABLE gateway_rejections (
    organization_id uuid,
    gateway_id uuid,
    epoch bigint,
    position bigint,
    reason text NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    times bigint NOT NULL,
    PRIMARY KEY (organization_id, gateway_id, epoch, position)
);

-- When a gateway last asked or said anything.
CREATE TABLE gateway_contacts (
    organization_id uuid,
    gateway_id uuid,
    heard_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, gateway_id)
);
