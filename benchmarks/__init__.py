"""One runnable file for each performance claim."""
