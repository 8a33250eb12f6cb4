"""What Milvus has no room for, which records of tests for all stores must do without."""

from __future__ import annotations

from index.errors import InvalidRecord
from index.milvus.rows import check_fits
from index.records import Record


def fits(record: Record) -> bool:
    try:
        check_fits([record], 4)
    except InvalidRecord:
        return False
    return True
