"""Contracts: what a product promises, read from OpenAPI 3.0, OpenAPI 3.1 and GraphQL SDL."""
