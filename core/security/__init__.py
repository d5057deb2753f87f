"""Who may come in, what is kept secret, and which addresses may be fetched."""
