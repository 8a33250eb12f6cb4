"""Measurements that the documents quote, and `speechclip bench`."""
