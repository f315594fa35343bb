"""The ledger's file opened by other means than the program's own: LMDB itself, through ctypes, and
a CRC-32C written out. For tests that damage a store on purpose."""

import ctypes
import ctypes.util

_lmdb = ctypes.CDLL(ctypes.util.find_library("lmdb") or "liblmdb.so.0")
_lmdb.mdb_strerror.restype = ctypes.c_char_p

MDB_NEXT, MDB_FIRST = 8, 0
TABLES_MAX = 16


class _Value(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]

    @classmethod
    def of(cls, data):
        buffer = ctypes.create_string_buffer(data, len(data))
        value = cls(len(data), ctypes.addressof(buffer))
        value.buffer = buffer  # lives as long
        return value

    def bytes(self):
        return ctypes.string_at(self.data, self.size)


def _check(code):
    if code != 0:
        raise OSError(_lmdb.mdb_strerror(code).decode())


class Store:
    """One write transaction over a store that nobody else has open; `with` commits it. Values are
    handed out and taken without their seal."""

    def __init__(self, folder):
        self._env, self._txn = ctypes.c_void_p(), ctypes.c_void_p()
        _check(_lmdb.mdb_env_create(ctypes.byref(self._env)))
        _check(_lmdb.mdb_env_set_maxdbs(self._env, TABLES_MAX))
        _check(_lmdb.mdb_env_set_mapsize(self._env, ctypes.c_size_t(1 << 32)))
        _check(_lmdb.mdb_env_open(self._env, str(folder).encode(), 0, 0o600))
        _check(_lmdb.mdb_txn_begin(self._env, None, 0, ctypes.byref(self._txn)))
        self._tables = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            _lmdb.mdb_txn_abort(self._txn)
        else:
            _check(_lmdb.mdb_txn_commit(self._txn))
        _lmdb.mdb_env_close(self._env)

    def _table(self, name):
        if name not in self._tables:
            handle = ctypes.c_uint()
            _check(_lmdb.mdb_dbi_open(self._txn, name.encode(), 0, ctypes.byref(handle)))
            self._tables[name] = handle
        return self._tables[name]

    def rows(self, table):
        """All rows in order: [(key, value)]."""
        cursor = ctypes.c_void_p()
        _check(_lmdb.mdb_cursor_open(self._txn, self._table(table), ctypes.byref(cursor)))
        rows, key, value, move = [], _Value(), _Value(), MDB_FIRST
        while _lmdb.mdb_cursor_get(cursor, ctypes.byref(key), ctypes.byref(value), move) == 0:
            rows.append((key.bytes(), value.bytes()[4:]))
            move = MDB_NEXT
        _lmdb.mdb_cursor_close(cursor)
        return rows

    def put(self, table, key, value, seal=None):
        """Writes a row under a seal that is right, or under the one given."""
        whole = (sealed(key, value) if seal is None else seal).to_bytes(4, "little") + value
        _check(_lmdb.mdb_put(self._txn, self._table(table), ctypes.byref(_Value.of(key)),
                             ctypes.byref(_Value.of(whole)), 0))

    def erase(self, table, key):
        _check(_lmdb.mdb_del(self._txn, self._table(table), ctypes.byref(_Value.of(key)), None))


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def sealed(key, value):
    of_key = crc32c(key)
    return crc32c(value) ^ ((of_key << 16 | of_key >> 16) & 0xFFFFFFFF)
