"""Whether a file broke off, and whether it knows its own length: what FFmpeg does not tell, read from the bytes."""

from __future__ import annotations

OGG_HEADER = 27
ID3_HEADER = 10
RIFF_HEADER = 12
UNKNOWN_WAV_SIZE = 0x7FFF_0000  # programs that cannot go back write something near the end of 31 or 32 bits
MP3_FRAME_SCAN = 64  # a frame header, its side information and, if there is one, the tag that counts the frames


def ogg_page_is_cut(data: bytes) -> bool:
    """Whether the last page of an Ogg file lacks some of the bytes that its header announces."""
    start = data.rfind(b"OggS")
    header = data[start : start + OGG_HEADER]
    if start < 0 or len(header) < OGG_HEADER:
        return True
    body = start + OGG_HEADER + header[-1]
    return body + sum(data[start + OGG_HEADER : body]) > len(data)


def mp3_counts_frames(data: bytes) -> bool:
    """Whether an MP3 file says how many frames it has. Where it does not, its length is a guess from its bit rate."""
    start = ID3_HEADER + _synchsafe(data[6:ID3_HEADER]) if data.startswith(b"ID3") else 0
    first = data[start : start + MP3_FRAME_SCAN]
    return any(tag in first for tag in (b"Xing", b"Info", b"VBRI"))


def is_wav(data: bytes) -> bool:
    """Whether these are the bytes of a WAV file."""
    return data[:4] == b"RIFF" and data[8:RIFF_HEADER] == b"WAVE"


def wav_has_no_length(data: bytes) -> bool:
    """Whether a WAV file was written into a pipe, before its length was known."""
    start = data.find(b"data", RIFF_HEADER) + 4
    size = int.from_bytes(data[start : start + 4], "little")
    return size == 0 or size >= UNKNOWN_WAV_SIZE


def _synchsafe(digits: bytes) -> int:
    """ID3's integers: seven bits in each byte."""
    value = 0
    for digit in digits:
        value = value << 7 | digit & 0x7F
    return value
