"""Getting an answer from a CRM."""
