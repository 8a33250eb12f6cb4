"""Connections and what surrounds every request: bounds, refusals, headers, the log."""
