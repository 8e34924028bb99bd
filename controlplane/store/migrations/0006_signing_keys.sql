-- The keys by which configurations of gateways are signed; the last one that began signs. A key
-- whose documents nobody may use any more is deleted.
CREATE TABLE signing_keys (
    key_id text PRIMARY KEY,
    private_key bytea NOT NULL CHECK (length(private_key) = 32),
    signs_from timestamptz NOT NULL UNIQUE,
    trusted_until timestamptz
);
