"""Collections: records and vectors on disk, and exact search over them. Start at `index.store.Store`."""
