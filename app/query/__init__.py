"""From what was asked to what is near to it."""
