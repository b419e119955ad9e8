"""What a request carries: bytes, JSON, a file or an iterable; how long it is, and whether it can be sent twice."""

from typing import cast

from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

BLOCK = 1 << 18
"""Bytes that are read from a file and handed on at a time."""


class Body:
    """The body of one request.

    length      bytes, None where only its end tells (it is then sent in chunks, RFC 9112 §7.1)
    replayable  whether `chunks` can be called again
    type        the Content-Type it brings, "" where it brings none
    """

    __slots__ = ("_data", "_file", "_parts", "_start", "length", "replayable", "type")

    def __init__(self, data: "bytes | str | BinaryIO | Iterable[bytes] | None", json: object = None) -> None:
        self._data: bytes | None = None
        self._file: BinaryIO | None = None
        self._parts: Iterable[bytes] | None = None
        self._start = 0
        self.length: int | None = None
        self.replayable = True
        self.type = ""
        if json is not None:
            if data is not None:
                raise UsageError("a request has one body: data and json contradict each other", fix="give one of them")
            from json import dumps

            data, self.type = dumps(json, allow_nan=False), "application/json"
        if data is None:
            return
        if isinstance(data, str):
            data = data.encode()
        if isinstance(data, (bytes, bytearray, memoryview)):
            self._data = bytes(data)
            self.length = len(self._data)
        elif hasattr(data, "items"):
            raise UsageError("data is a mapping, which is no body", fix="use json=, or urllib.parse.urlencode(...)")
        elif hasattr(data, "read"):
            self._read_from(cast("BinaryIO", data))
        else:
            self._parts = data
            self.replayable = iter(data) is not data

    def _read_from(self, file: "BinaryIO") -> None:
        import io

        if isinstance(cast("object", file), io.TextIOBase):
            raise UsageError("the body is a file in text mode", fix='open it with mode "rb"')
        self._file = file
        try:
            self._start = file.tell()
            self.length = file.seek(0, io.SEEK_END) - self._start
            file.seek(self._start)
        except (OSError, AttributeError):  # a pipe, a socket
            self.replayable = False
            self.length = None

    def __bool__(self) -> bool:
        return self._data is not None or self._file is not None or self._parts is not None

    def chunks(self) -> "bytes | Iterable[bytes] | None":
        """The bytes to send, from where the body began; None where there is no body."""
        if self._file is not None:
            return self._blocks(self._file)
        return self._data if self._data is not None else self._parts

    def _blocks(self, file: "BinaryIO") -> "Iterator[bytes]":
        """The file's bytes, exactly as many as were announced, or all until its end."""
        left = self.length
        try:
            if self.replayable:
                file.seek(self._start)
            while left is None or left > 0:
                block = file.read(BLOCK if left is None else min(BLOCK, left))
                if not block:
                    break
                left = None if left is None else left - len(block)
                yield block
        except OSError as error:
            raise UsageError("the body cannot be read", why=error.strerror or str(error)) from None
        if left:
            raise UsageError("the file became shorter while it was sent", why=f"{left} bytes are missing")
