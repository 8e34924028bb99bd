"""The GraphQL surface for portals and administrators."""
