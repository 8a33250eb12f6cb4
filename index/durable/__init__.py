"""Records and files on disk: what survives a kill at any moment."""
