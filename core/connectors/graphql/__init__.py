"""GraphQL APIs: a query, and its pages by Relay cursors."""
