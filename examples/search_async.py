"""Search for several things at once."""

import asyncio
import os

from speechclip_client import AsyncClient, Query

TEXTS = ("camel", "rain", "guitar")


async def main() -> None:
    async with AsyncClient(os.environ.get("SPEECHCLIP_URL", "http://127.0.0.1:8000")) as service:
        answers = await asyncio.gather(*(service.search("images", text=text, top_k=3) for text in TEXTS))
        for text, found in zip(TEXTS, answers, strict=True):
            print(f"{text}: {', '.join(result.caption or result.id for result in found.results)}")

        # Like a camel, but not like a desert; and only what has a caption.
        mixed = await service.search(
            "images",
            queries=[Query(text="camel"), Query(text="desert", weight=-0.5)],
            filter={"caption": {"exists": True}},
            top_k=3,
        )
        print(f"camel without desert: {', '.join(result.caption or result.id for result in mixed.results)}")


asyncio.run(main())
