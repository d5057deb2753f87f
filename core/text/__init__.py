"""From an answer's bytes to lines, records and chunks."""
