"""Events, commands and read models in PostgreSQL."""
