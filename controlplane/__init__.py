"""Everything that touches the world: store, commands, GraphQL, gateways."""
