"""The test's side of fuse.c: a gateway that ends, as by kill -9, inside a commit of its ledger, or
whose disk fails there or is full."""

import mmap
import struct
import subprocess
from pathlib import Path

MANNERS = ("before", "after", "torn")  # of dying
FAILURES = ("fails", "fails late", "fails on")  # of saying EIO: once, undone or done, or for good
CALLS = {1: "write", 2: "sync"}
SIZE = 40


class Fuse:
    def __init__(self, folder):
        library = Path(folder) / "fuse.so"
        source = Path(__file__).with_name("fuse.c")
        subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source],
                       check=True)
        path = Path(folder) / "fuse"
        path.write_bytes(bytes(SIZE))
        self._file = open(path, "r+b")
        self._map = mmap.mmap(self._file.fileno(), SIZE)
        self.environment = {"LD_PRELOAD": str(library), "MOONGATE_FUSE": str(path)}

    def _get(self, index):
        return struct.unpack_from("q", self._map, 8 * index)[0]

    def _set(self, index, value):
        struct.pack_into("q", self._map, 8 * index, value)

    @property
    def calls(self):
        return self._get(1)

    @property
    def burnt(self):
        """The call it struck, or None."""
        return CALLS.get(self._get(3))

    def light(self, calls, manner):
        """The process dies, or its disk fails, at the `calls`-th system call on its ledger from
        now on."""
        self._set(3, 0)
        self._set(2, (MANNERS + FAILURES).index(manner))
        self._set(0, calls)

    def put_out(self):
        self._set(0, 0)

    def set_space(self, free_bytes):
        """How much of the disk is said to be free from now on; None: as much as there is."""
        self._set(4, free_bytes or 0)

    def close(self):
        self._map.close()
        self._file.close()
