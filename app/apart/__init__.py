"""The encoder in a process of its own.

Threads of one process take turns at Python's lock: those that encode and the one that talks with clients would wait for
each other hundreds of times in a query. And what ends the encoder's process does not end the service.
"""

from app.apart.encoder import ApartEncoder

__all__ = ["ApartEncoder"]
