-- What each gateway last said it runs: an observation, not an event. Times are the database's.
CREATE TABLE gateway_acknowledgements (
    organization_id uuid,
    gateway_id uuid,
    epoch bigint NOT NULL,
    position bigint NOT NULL,
    content_hash text NOT NULL CHECK (content_hash ~ '^[0-9a-f]{64}$'),
    -- Since when it says so of this configuration, and when it said so last.
    running_since timestamptz NOT NULL,
    acknowledged_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, gateway_id)
);
