-- Which version of each part of its configuration an Envoy said last that it runs: it says so part
-- by part, and of several processes each hears some of it. A row is written when a version moves.
CREATE TABLE envoy_parts (
    organization_id uuid,
    gateway_id uuid,
    part text CHECK (length(part) <= 100),
    version text NOT NULL CHECK (length(version) <= 64),
    PRIMARY KEY (organization_id, gateway_id, part)
);
