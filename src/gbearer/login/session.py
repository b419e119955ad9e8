"""The session through which google-auth-oauthlib speaks: requests on the outside, our own transport within."""

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from requests import Session

    from gbearer.transport import Transport


class Adapter(BaseAdapter):
    """Sends what requests prepared by a Transport: its routing, proxies, authorities, time limits, no redirects.

    A refusal is raised as the transport's Refused, so that what the server said can be explained.
    """

    def __init__(self, transport: "Transport") -> None:
        super().__init__()
        self._transport = transport

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: ARG002 (requests' interface, as are the others)
        timeout: object = None,  # noqa: ARG002
        verify: object = True,  # noqa: ARG002
        cert: object = None,  # noqa: ARG002
        proxies: object = None,  # noqa: ARG002
    ) -> Response:
        """The answer to `request`; raises gbearer.Error."""
        body = request.body
        data = body.encode() if isinstance(body, str) else body
        kept = ("authorization", "accept", "content-type")
        headers = {name: str(value) for name, value in request.headers.items() if name.lower() in kept}
        answer = self._transport.send(str(request.method), str(request.url), body=data, headers=headers)  # type: ignore[arg-type, unused-ignore]
        response = Response()
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict(answer.headers)
        response._content = answer.data  # noqa: SLF001 (how every adapter that is no socket fills one)
        response.encoding = "utf-8"
        response.url = answer.url
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is held."""


def through(session: "Session", transport: "Transport") -> None:
    """Let `session` speak through `transport` and nothing else; no .netrc and no proxy of its own."""
    session.trust_env = False
    session.adapters.clear()
    session.mount("https://", Adapter(transport))
