-- Whether the end of a product is held back from a gateway group, decided by whichever process sees
-- it first, so that all of them hand out the same. Positions are those at which the product ended.
CREATE TABLE config_decisions (
    organization_id uuid,
    group_id uuid,
    product_id uuid,
    position bigint,
    withheld boolean NOT NULL,
    -- How many rows of the configuration would have gone with it, and of how many.
    rows bigint NOT NULL,
    of_rows bigint NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, group_id, product_id, position)
);
