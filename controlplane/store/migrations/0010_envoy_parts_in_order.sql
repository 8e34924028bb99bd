-- The configuration under which an Envoy was sent the version that it says to run: of two words, one
-- of which was written late, the one with the newer configuration is the newer. 0.0 for nothing.
ALTER TABLE envoy_parts
    ADD COLUMN sent_epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN sent_position bigint NOT NULL DEFAULT 0;
