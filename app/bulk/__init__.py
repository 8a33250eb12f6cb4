"""Whole catalogues into a collection: sources of any size become records and vectors, in bounded memory."""
