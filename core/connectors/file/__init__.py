"""Files: uploaded, or at an address."""
