"""Running: an attempt is handed over, and an outcome comes back."""
