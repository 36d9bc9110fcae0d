"""Reads an NVS partition as a chip does: pages, entries, spans and their checksums."""

from __future__ import annotations

import struct
import zlib

PAGE_BYTES = 4096
ENTRY_BYTES = 32
FIRST_ENTRY = 2
ENTRIES = 126
UNUSED = 0xFF
TYPE_U8, TYPE_STRING = 0x01, 0x21


def strings(image: bytes) -> dict[tuple[str, str], str]:
    """`(namespace, key)` → value of every string; fails where a checksum does not fit."""
    namespaces: dict[int, str] = {}
    found: dict[tuple[int, str], str] = {}
    for page_at in range(0, len(image), PAGE_BYTES):
        page = image[page_at : page_at + PAGE_BYTES]
        number = 0
        while number < ENTRIES:
            at = (FIRST_ENTRY + number) * ENTRY_BYTES
            entry = page[at : at + ENTRY_BYTES]
            index, kind, span = entry[:3]
            if index == UNUSED:
                break
            (checksum,) = struct.unpack_from("<I", entry, 4)
            assert checksum == zlib.crc32(entry[:4] + entry[8:], 0xFFFFFFFF)
            key = entry[8:24].rstrip(b"\0").decode()
            if index == 0 and kind == TYPE_U8:
                namespaces[entry[24]] = key
            elif kind == TYPE_STRING:
                size, _, data_checksum = struct.unpack_from("<HHI", entry, 24)
                data = page[at + ENTRY_BYTES :][:size]
                assert data_checksum == zlib.crc32(data, 0xFFFFFFFF)
                assert data[-1] == 0
                found[index, key] = data[:-1].decode()
            number += span
    return {(namespaces[index], key): value for (index, key), value in found.items()}
