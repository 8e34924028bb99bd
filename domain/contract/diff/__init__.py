"""Comparing two versions of a contract: (before, after) -> findings."""
