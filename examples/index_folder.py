"""Put a folder of images into a collection, and search it: python index_folder.py FOLDER TEXT"""

import os
import sys
from itertools import islice
from pathlib import Path

from speechclip_client import Client, NewItem
from speechclip_client.errors import InvalidRequest

ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}
COLLECTION = "my-pictures"

folder, text = Path(sys.argv[1]), sys.argv[2]
paths = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in ENDINGS)

with Client(os.environ.get("SPEECHCLIP_URL", "http://127.0.0.1:8000")) as service:
    service.create_collection(COLLECTION, "images")
    while batch := list(islice(paths, 16)):
        # The id is where the picture is, so that a second run replaces it and adds nothing.
        items = [
            NewItem(id=path.relative_to(folder).as_posix(), image=path, metadata={"bytes": path.stat().st_size})
            for path in batch
        ]
        try:
            stored = service.store_items(COLLECTION, items)
        except InvalidRequest as error:
            sys.exit(f"not stored: {error}")
        print(f"{stored.collection.count} pictures in {COLLECTION}")

    for result in service.search(COLLECTION, text=text, top_k=3).results:
        print(f"{result.score:.3f}  {folder / result.id}")
