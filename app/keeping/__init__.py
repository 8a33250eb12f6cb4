"""Items on their way into a collection, pages of them on their way out, and whole collections in files."""
