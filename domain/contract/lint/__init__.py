"""Linting: rule sets in the form of Spectral, run over a document in one traversal."""
