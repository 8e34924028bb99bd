-- GraphQL documents that clients registered, by the SHA-256 of their text. Losing a row costs a
-- client one more request; what anonymous clients registered is given up first.
CREATE TABLE persisted_documents (
    sha256 bytea PRIMARY KEY CHECK (length(sha256) = 32),
    document text NOT NULL,
    anonymous boolean NOT NULL,
    used_at timestamptz NOT NULL
);
CREATE INDEX persisted_documents_used_at_idx ON persisted_documents (anonymous, used_at DESC);
