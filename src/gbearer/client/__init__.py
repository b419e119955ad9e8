"""The library's face: `Client`, and its methods as functions for the default credentials."""

from gbearer.client.bound import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import BinaryIO

    import urllib3

    from gbearer.model import Token

__all__ = ["Client", "default", "header", "id_token", "project", "request", "reset", "token"]

_default: Client | None = None


def default() -> Client:
    """The client behind the functions below: default credentials, the environment of the process."""
    global _default
    if _default is None:
        _default = Client()
    return _default


def token(*, scopes: "Iterable[str] | None" = None, refresh: bool = False) -> "Token":
    """An access token for the default credentials; `.value` is the secret. Raises gbearer.Error."""
    return default().token(scopes=scopes, refresh=refresh)


def id_token(audience: str, *, refresh: bool = False) -> "Token":
    """An ID token for `audience`, the URL of a service. Raises gbearer.Error."""
    return default().id_token(audience, refresh=refresh)


def header(*, audience: str | None = None) -> dict[str, str]:
    """The headers of one request, as `Client.header`. Raises gbearer.Error."""
    return default().header(audience=audience)


def request(
    method: str,
    url: str,
    *,
    json: object = None,
    data: "bytes | str | BinaryIO | Iterable[bytes] | None" = None,
    headers: "Mapping[str, str] | None" = None,
    auth: str = "auto",
    audience: str | None = None,
    timeout: float = 70.0,
    location: bool = False,
    stream: bool = False,
) -> "urllib3.BaseHTTPResponse":
    """Make one HTTP call with the token that its host wants, as `Client.request`. Raises gbearer.Error."""
    return default().request(
        method,
        url,
        json=json,
        data=data,
        headers=headers,
        auth=auth,
        audience=audience,
        timeout=timeout,
        location=location,
        stream=stream,
    )


def project() -> str | None:
    """The project of the default credentials, as `Client.project`. Raises gbearer.Error."""
    return default().project()


def reset() -> None:
    """Look at environment and files again, as `Client.reset`."""
    default().reset()
