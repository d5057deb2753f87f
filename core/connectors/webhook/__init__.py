"""Webhooks: what a CRM sends by itself, signed."""
