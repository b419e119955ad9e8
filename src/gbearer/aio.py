"""The client for async callers: what memory holds comes at once, the rest from a thread; nothing here but awaiting."""

import asyncio
import os
import time
import weakref
from functools import partial

from gbearer import client, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import BinaryIO

    import urllib3

    from gbearer.client.bound import Document, Placed, Wanted
    from gbearer.model import Token

__all__ = ["Client", "header", "id_token", "project", "request", "reset", "token"]

_flights: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, asyncio.Task[Placed]]]"
_flights = weakref.WeakKeyDictionary()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_flights.clear)


class Client:
    """`gbearer.Client` with awaitable methods and the same options; for any number of event loops."""

    def __init__(
        self,
        *,
        credentials: "Document | None" = None,
        source: str | None = None,
        profile: str | None = None,
        account: str | None = None,
        scopes: "Iterable[str]" = (),
        audience: str | None = None,
        impersonate: "str | Iterable[str] | None" = None,
        delegates: "Iterable[str]" = (),
        subject: str | None = None,
        provider: str | None = None,
        expect_role: str | None = None,
        aws_token: str | None = None,
        boundary: "Document | None" = None,
        bucket: str | None = None,
        prefix: str | None = None,
        role: str | None = None,
        lifetime: int | str | None = None,
        quota_project: str | None = None,
        min_ttl: int | str = 0,
        cache: bool = True,
        trust_config: bool = False,
        env: "Mapping[str, str] | None" = None,
        clock: "Callable[[], float]" = time.time,
    ) -> None:
        self.sync = client.Client(
            credentials=credentials,
            source=source,
            profile=profile,
            account=account,
            scopes=scopes,
            audience=audience,
            impersonate=impersonate,
            delegates=delegates,
            subject=subject,
            provider=provider,
            expect_role=expect_role,
            aws_token=aws_token,
            boundary=boundary,
            bucket=bucket,
            prefix=prefix,
            role=role,
            lifetime=lifetime,
            quota_project=quota_project,
            min_ttl=min_ttl,
            cache=cache,
            trust_config=trust_config,
            env=env,
            clock=clock,
        )

    async def token(
        self,
        *,
        scopes: "Iterable[str] | None" = None,
        refresh: bool = False,
        kind: str = "access",
        audience: str | None = None,
    ) -> "Token":
        """As `gbearer.Client.token`."""
        return (await _placed(self.sync, self.sync.wanted(kind, scopes, audience, refresh)))[0]

    async def id_token(self, audience: str | None = None, *, refresh: bool = False) -> "Token":
        """As `gbearer.Client.id_token`."""
        return (await _placed(self.sync, self.sync.wanted("id", None, audience, refresh)))[0]

    async def header(self, *, audience: str | None = None) -> dict[str, str]:
        """As `gbearer.Client.header`."""
        return (await _placed(self.sync, self.sync.wanted("header", None, audience)))[1]

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: object = None,
        data: "bytes | str | BinaryIO | Iterable[bytes] | None" = None,
        headers: "Mapping[str, str] | None" = None,
        auth: str = "auto",
        audience: str | None = None,
        timeout: float = 70.0,  # noqa: ASYNC109 (it limits the parts of an answer, not the whole)
        location: bool = False,
    ) -> "urllib3.BaseHTTPResponse":
        """As `gbearer.Client.request`, with the body read: the call runs in a thread, also when nobody waits for it."""
        call = partial(
            self.sync.request,
            method,
            url,
            json=json,
            data=data,
            headers=headers,
            auth=auth,
            audience=audience,
            timeout=timeout,
            location=location,
        )
        return await asyncio.to_thread(call)

    async def project(self) -> str | None:
        """As `gbearer.Client.project`."""
        return await asyncio.to_thread(self.sync.project)

    def reset(self) -> None:
        """As `gbearer.Client.reset`; it waits for nothing."""
        self.sync.reset()


async def _placed(sync: client.Client, wanted: "Wanted") -> "Placed":
    """Token and headers: from memory, or from the one task of this loop that fetches them for everybody who asks.

    Who is cancelled leaves; the task goes on for the others.
    """
    ready = sync.ready(wanted)
    if ready is not None:
        return ready
    loop = asyncio.get_running_loop()
    flights = _flights.setdefault(loop, {})
    key = (sync, wanted)
    task = flights.get(key)
    if task is None:
        task = flights[key] = loop.create_task(asyncio.to_thread(sync.place, wanted))
        task.add_done_callback(partial(_landed, flights, key))
    try:
        token, headers = await asyncio.shield(task)
    except errors.Error as error:
        raise errors.again(error) from error.__cause__
    return token, headers.copy()


def _landed(flights: "dict[object, asyncio.Task[Placed]]", key: object, task: "asyncio.Task[Placed]") -> None:
    flights.pop(key, None)
    if not task.cancelled():
        task.exception()  # read here, so that asyncio does not complain where every waiter has left


_default: Client | None = None


def default() -> Client:
    """The client behind the functions below; it shares what it holds with the functions of `gbearer`."""
    global _default
    if _default is None:
        _default = Client()
        _default.sync = client.default()
    return _default


async def token(*, scopes: "Iterable[str] | None" = None, refresh: bool = False) -> "Token":
    """As `gbearer.token`."""
    return await default().token(scopes=scopes, refresh=refresh)


async def id_token(audience: str, *, refresh: bool = False) -> "Token":
    """As `gbearer.id_token`."""
    return await default().id_token(audience, refresh=refresh)


async def header(*, audience: str | None = None) -> dict[str, str]:
    """As `gbearer.header`."""
    return await default().header(audience=audience)


async def request(
    method: str,
    url: str,
    *,
    json: object = None,
    data: "bytes | str | BinaryIO | Iterable[bytes] | None" = None,
    headers: "Mapping[str, str] | None" = None,
    auth: str = "auto",
    audience: str | None = None,
    timeout: float = 70.0,  # noqa: ASYNC109
    location: bool = False,
) -> "urllib3.BaseHTTPResponse":
    """As `gbearer.request`, with the body read."""
    return await default().request(
        method,
        url,
        json=json,
        data=data,
        headers=headers,
        auth=auth,
        audience=audience,
        timeout=timeout,
        location=location,
    )


async def project() -> str | None:
    """As `gbearer.project`."""
    return await default().project()


def reset() -> None:
    """As `gbearer.reset`."""
    default().reset()
