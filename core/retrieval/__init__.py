"""From a question to the records that may answer it."""
