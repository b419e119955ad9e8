"""Measures inside one process: `Client.header()` with a token in memory against google-auth's `before_request`.

Takes the key file, the emulator's URL, the number of pairs and the calls of each; prints one JSON object of lists of
seconds per call.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import google.auth.transport
import requests
from google.oauth2 import service_account

import gbearer

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
URL = "https://storage.googleapis.com/storage/v1/b"


class Answer(google.auth.transport.Response):
    """An answer in the shape that google-auth reads."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self._parts = (status, headers, data)

    status = property(lambda self: self._parts[0])
    headers = property(lambda self: self._parts[1])
    data = property(lambda self: self._parts[2])


class Loopback(google.auth.transport.Request):
    """Sends what google-auth asks of any host to the emulator.

    google-auth looks up, in a thread of its own, where a service account may be used. Answered, as it is for its
    users, it does so once; unanswerable, it would try again at every call and look 20 times slower than it is.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = 10,
        **_more: Any,
    ) -> Answer:
        """Send one request; as google-auth's transports are called."""
        parts = urlsplit(url)
        sent = {**(headers or {}), "Host": parts.netloc}
        answer = requests.request(method, self.origin + parts.path, data=body, headers=sent, timeout=timeout)
        return Answer(answer.status_code, answer.headers, answer.content)


def settle() -> None:
    """Wait until the threads that google-auth started are done."""
    for each in threading.enumerate():
        if each is not threading.current_thread():
            each.join(20)


def per_call(call: Callable[[], object], calls: int) -> float:
    """Time `calls` calls and give the seconds of one."""
    turns = range(calls)
    begun = time.perf_counter()
    for _ in turns:
        call()
    return (time.perf_counter() - begun) / calls


def main(key_file: str, origin: str, count: int, calls: int) -> None:
    client = gbearer.Client(credentials=key_file)
    request = Loopback(origin)
    credentials = service_account.Credentials.from_service_account_file(key_file, scopes=SCOPES)
    credentials.refresh(request)

    def theirs() -> dict[str, str]:
        headers: dict[str, str] = {}
        credentials.before_request(request, "GET", URL, headers)
        return headers

    # Both must give a header that says Bearer, else the comparison means nothing.
    for headers in (client.header(), {name.title(): value for name, value in theirs().items()}):
        if not headers["Authorization"].startswith("Bearer "):
            raise SystemExit(f"error: not a bearer header: {sorted(headers)}")

    settle()
    samples: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(count + 2):
        order = [("ours", client.header), ("theirs", theirs)]
        for name, call in order if turn % 2 else order[::-1]:
            samples[name].append(per_call(call, calls))
    print(json.dumps({name: values[2:] for name, values in samples.items()}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
