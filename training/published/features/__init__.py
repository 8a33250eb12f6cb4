"""What frozen networks make of a corpus, computed once and kept on disk, so that a training runs its heads alone."""
