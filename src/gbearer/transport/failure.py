"""What never became an answer, in words: name resolution, connection, TLS, time; and whether another try may help."""

import http.client
import ssl

from urllib3 import exceptions as lib

from gbearer import endpoints, log
from gbearer.errors import Unreachable
from gbearer.transport.limit import Late
from gbearer.transport.pool import proxy_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class TooLarge(lib.HTTPError):
    """An answer that no token endpoint gives."""


def explain(
    error: Exception, asked: endpoints.URL, target: endpoints.URL, env: "Mapping[str, str]"
) -> tuple[Unreachable, bool]:
    """(our error, whether to try again) for what urllib3, the socket or our own limits raised."""
    via = proxy_for(target, env)
    host = asked.netloc
    at = "" if target.origin == asked.origin else f" at {target.netloc}"
    fix = _advice(target, via, env)
    certificate = _cause(error, ssl.SSLCertVerificationError)
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return _untrusted(certificate, host, target, env), False
    if isinstance(error, lib.ProxyError):
        return _told(f"the proxy for {host} cannot be used", _reason(error), "check HTTPS_PROXY and NO_PROXY"), True
    if isinstance(error, lib.NameResolutionError):
        return _told(f"the name {target.host} cannot be resolved", "DNS did not answer for it", fix), True
    if isinstance(error, lib.NewConnectionError):
        return _told(f"{host} cannot be reached{at}", _reason(error), fix), True
    if isinstance(error, lib.ConnectTimeoutError):
        return _told(f"{host} cannot be reached{at}", "no connection within the time limit", fix), True
    if isinstance(error, (lib.ReadTimeoutError, Late)):
        return _told(f"{host} did not answer in time{at}", "the connection stood, and no whole answer came", fix), True
    if isinstance(error, lib.SSLError):
        return _told(f"TLS with {host} failed", _reason(error), fix), True
    return _told(f"{host} broke off in the middle of an answer{at}", _reason(error), fix), True


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (lib.IncompleteRead, "the answer ended before its stated length"),
    (http.client.IncompleteRead, "the answer ended before its stated length"),
    (http.client.RemoteDisconnected, "the connection closed without an answer"),
    (http.client.BadStatusLine, "the answer is no HTTP"),
    (http.client.LineTooLong, "the answer is no HTTP"),
    (TooLarge, "the answer is larger than 1 MiB"),
    (lib.DecodeError, "the body cannot be unpacked"),
)


def _told(message: str, why: str, fix: str) -> Unreachable:
    return Unreachable(message, why=why, fix=fix)


def _advice(target: endpoints.URL, via: str | None, env: "Mapping[str, str]") -> str:
    if endpoints.is_loopback(target.host) and env.get(endpoints.EMULATOR_VARIABLE):
        return f"start it with `gbearer emulator --port {target.port}`, or unset {endpoints.EMULATOR_VARIABLE}"
    if target.host in endpoints.METADATA_HOSTS:
        return "outside Google Cloud name a credential: `gcloud auth application-default login`, or --credentials FILE"
    if via:
        return "check that the proxy in HTTPS_PROXY lets this host through"
    return "check the network; behind a proxy set HTTPS_PROXY"


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    seen: BaseException | None = error
    for _ in range(6):
        if seen is None or isinstance(seen, kind):
            return seen
        inner = seen.args[0] if seen.args and isinstance(seen.args[0], BaseException) else None
        seen = inner or seen.__cause__ or seen.__context__
    return None


def _reason(error: BaseException) -> str:
    """The system's own word for it, without object addresses and library names."""
    for kind, words in _WORDS:
        if _cause(error, kind):
            return words
    system = _cause(error, OSError)
    if isinstance(system, OSError) and system.strerror:
        return system.strerror.lower()
    if isinstance(system, OSError) and system.args:  # a proxy that refused the tunnel
        return log.redact(" ".join(str(system.args[0]).split()))[:100]
    return "the connection closed without an answer"


def _untrusted(
    error: ssl.SSLCertVerificationError, host: str, target: endpoints.URL, env: "Mapping[str, str]"
) -> Unreachable:
    issuer = _issuer(target, env)
    return Unreachable(
        f"the certificate of {host} is not trusted",
        why=f"{error.verify_message or 'verification failed'}; it was issued by {issuer}",
        fix="if that is your company's proxy, set SSL_CERT_FILE to its CA bundle; if not, somebody listens in",
    )


def _issuer(target: endpoints.URL, env: "Mapping[str, str]") -> str:
    """Who signed the certificate that is shown there; nothing is sent over this connection."""
    from cryptography import x509
    from urllib3.util import parse_url

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    via = proxy_for(target, env)
    try:
        if via:
            proxy = parse_url(via)
            connection = http.client.HTTPSConnection(proxy.host or "", proxy.port, timeout=3, context=context)
            connection.set_tunnel(target.host, target.port)
        else:
            connection = http.client.HTTPSConnection(target.host.strip("[]"), target.port, timeout=3, context=context)
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True)
        connection.close()
        return x509.load_der_x509_certificate(shown).issuer.rfc4514_string() if shown else "nobody"
    except (OSError, ValueError, http.client.HTTPException):
        return "somebody who could not be read"
