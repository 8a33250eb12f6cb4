"""How good a model is on a data set: retrieval, keywords and speed, of a model folder or of a running service."""
