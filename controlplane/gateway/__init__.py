"""What gateways meet: their configuration over HTTP and GraphQL, and their acknowledgements."""
