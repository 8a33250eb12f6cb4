"""Spoken scenes: a corpus of drawings composed into pictures, and of captions of them that synthetic voices speak."""
