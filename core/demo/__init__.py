"""The sample CRM and the sample company of ``make demo``."""
