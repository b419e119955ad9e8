"""What lies in the emulator's two buckets: some objects of the first day, and those that were put there since."""

import base64
import hashlib
import itertools
from dataclasses import dataclass, field

NAMES = ("emulator-bucket", "emulator-other")
_FIRST_DAY = 1577836800.0
_FIRST = {
    "emulator-bucket": {
        "customer-a/2026/report.csv": "month,amount\n2026-10,120\n2026-11,80\n",
        "customer-a/invoice.txt": "An invoice for customer A.\n",
        "customer-ab/note.txt": "Customer AB begins like customer A.\n",
        "customer-b/invoice.txt": "An invoice for customer B.\n",
        "public/hello.txt": "Hello from the emulator.\n",
        "top.txt": "An object below no folder.\n",
    },
    "emulator-other": {
        "backup/state.json": '{"state": "kept"}\n',
        "customer-a/invoice.txt": "An invoice for customer A, in the other bucket.\n",
    },
}
_TYPES = {"csv": "text/csv", "json": "application/json", "txt": "text/plain"}


@dataclass(frozen=True)
class Object:
    """An object; `created` is in seconds since 1970, UTC."""

    bucket: str
    name: str
    data: bytes = field(repr=False)
    content_type: str
    generation: int
    created: float

    @property
    def md5(self) -> str:
        """The digest of its data, as the API writes it."""
        return base64.b64encode(hashlib.md5(self.data, usedforsecurity=False).digest()).decode()


class Buckets:
    """The buckets by name, and in each its objects by name."""

    def __init__(self) -> None:
        self._generations = itertools.count(int(_FIRST_DAY) * 1_000_000)
        self.restore()

    def restore(self) -> None:
        """Put back what was there on the first day, and nothing else."""
        self.objects: dict[str, dict[str, Object]] = {name: {} for name in NAMES}
        for bucket, contents in _FIRST.items():
            for name, text in contents.items():
                self.put(bucket, name, text.encode(), _TYPES[name.rpartition(".")[2]], _FIRST_DAY)

    def put(self, bucket: str, name: str, data: bytes, content_type: str, now: float) -> Object:
        """Store an object, in place of the one of that name."""
        made = Object(bucket, name, data, content_type, next(self._generations), now)
        self.objects[bucket][name] = made
        return made
