"""What is said in Flickr8k: the three files that it is handed around with."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

from training.datasets.folder import Folder
from training.errors import DatasetError

# "<image>.jpg#<n><TAB><caption>"
TOKEN_FILES = ("Flickr8k.token.txt", "Flickr8k.lemma.token.txt")
TOKEN_LINE = re.compile(r"(?P<image>[^\t]+)#(?P<number>[0-9]{1,9})\t(?P<text>.*)", re.DOTALL)
# A table with the header "image,caption"; captions of an image are numbered as they come.
TABLE = "captions.txt"
HEADER = ["image", "caption"]

Captions = Mapping[str, Mapping[int, str]]
"""file name of the image -> number of the caption -> text"""


def read_captions(folder: Folder) -> Captions:
    """The captions as people wrote them, else as a table, else reduced to lemmas; none where there is no such file.

    Raises `DatasetError`.
    """
    written, lemmas = TOKEN_FILES
    if folder.has(written):
        return _tokens(folder.text_of(written), written)
    if folder.has(TABLE):
        return _table(folder.text_of(TABLE))
    return _tokens(folder.text_of(lemmas), lemmas) if folder.has(lemmas) else {}


def _tokens(text: str, name: str) -> Captions:
    captions = dict[str, dict[int, str]]()
    for number, line in enumerate(text.split("\n"), start=1):
        if not (line := line.strip()):
            continue
        if not (match := TOKEN_LINE.fullmatch(line)):
            raise DatasetError(f"{name}:{number} is not <image>#<number><tab><caption>")
        captions.setdefault(match["image"], {})[int(match["number"])] = match["text"].strip()
    return captions


def _table(text: str) -> Captions:
    captions = dict[str, dict[int, str]]()
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if next(rows, None) != HEADER:
            raise DatasetError(f"{TABLE} does not begin with the line {','.join(HEADER)}")
        for row in rows:
            if len(row) != len(HEADER):
                raise DatasetError(f"{TABLE}:{rows.line_num} has {len(row)} values; there should be {len(HEADER)}")
            of_image = captions.setdefault(row[0].strip(), {})
            of_image[len(of_image)] = row[1].strip()
    except csv.Error as error:
        raise DatasetError(f"{TABLE}:{rows.line_num} cannot be read: {error}") from error
    return captions
