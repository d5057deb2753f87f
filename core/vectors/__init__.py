"""From chunks to vectors, stored documents, the mirror, and hits."""
