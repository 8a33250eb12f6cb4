"""The published models: which there are, and how they are fetched."""
