-- What rules found in contracts: worked out once for the same documents, terms and rules, and again
-- when it is gone. What a version was judged by is kept for ever, as a document.
CREATE TABLE contract_findings (
    question bytea PRIMARY KEY CHECK (length(question) = 32),
    findings bytea NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON contract_findings (asked_at);
