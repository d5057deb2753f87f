"""Measurements; ``make soak`` and the like run them."""
