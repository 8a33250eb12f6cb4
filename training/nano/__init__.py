"""nano's training: its data, its stages, its figures."""
