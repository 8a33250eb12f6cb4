"""A client of SpeechCLIP Search: say, show or type what you are looking for, and get the nearest records.

    from speechclip_client import Client

    with Client("http://127.0.0.1:8000") as service:
        for result in service.search("images", audio="dog.wav", top_k=3).results:
            print(result.score, result.caption)

`AsyncClient` has the same methods to be awaited. Neither needs anything of the service but its address.
"""

from speechclip_client.aio import AsyncClient
from speechclip_client.client import Client
from speechclip_client.errors import Refusal, SpeechClipError
from speechclip_client.items import NewItem
from speechclip_client.queries import Query
from speechclip_client.retries import Retries

__all__ = ["AsyncClient", "Client", "NewItem", "Query", "Refusal", "Retries", "SpeechClipError"]
