"""Contracts at work: what rules find in them, found in processes of their own."""
