"""Connections: which authorities are trusted and which proxy is used, from the variables everybody reads."""

from gbearer import endpoints
from gbearer.errors import BadCredentials, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    import urllib3

_contexts: "dict[tuple[str, str], ssl.SSLContext]" = {}


def open_connection_pool(
    url: endpoints.URL,
    env: "Mapping[str, str]",
    cert: tuple[str, str] | None = None,
    trusted: "ssl.SSLContext | None" = None,
    *,
    emulated: bool = False,
) -> "urllib3.PoolManager":
    """A urllib3 manager for `url`, through the proxy that `env` names where it names one for this host.

    `cert` are the paths of a client certificate and of its key; BadCredentials when they cannot be used. `trusted` is
    in the place of the authorities that `env` names. An emulator's own certificate is not checked: it is on this
    machine, and plain http would do.
    """
    import urllib3

    context = (trusted or tls_context(env, cert)) if url.scheme == "https" else None
    if context is not None and cert is not None and emulated and endpoints.is_loopback(url.host):
        return urllib3.PoolManager(ssl_context=context, maxsize=4, assert_fingerprint=_shown(url, context))
    proxy = proxy_for(url, env)
    if proxy is None:
        return urllib3.PoolManager(ssl_context=context, maxsize=4)
    try:
        parts = urllib3.util.parse_url(proxy)
    except urllib3.exceptions.LocationParseError:
        raise UsageError(
            f"the proxy for {url.netloc} is named by something that is no URL",
            fix="set HTTPS_PROXY to http://HOST:PORT, or unset it",
        ) from None
    if parts.scheme not in ("http", "https"):
        raise UsageError(
            f"the proxy for {url.netloc} is of the kind {parts.scheme}://",
            why="only http:// and https:// proxies are spoken",
            fix="set HTTPS_PROXY to an http:// proxy, or add the host to NO_PROXY",
        )
    headers = urllib3.make_headers(proxy_basic_auth=parts.auth) if parts.auth else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, ssl_context=context, maxsize=4)


def proxy_for(url: endpoints.URL, env: "Mapping[str, str]") -> str | None:
    """The proxy's URL, or None: loopback, link-local and metadata addresses never go through one."""
    if endpoints.is_local(url.host) or endpoints.is_metadata(url, env):
        return None
    names = (f"{url.scheme}_proxy", f"{url.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    proxy = next((env[name] for name in names if env.get(name)), None)
    if proxy is None:
        return None
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    no = env.get("no_proxy") or env.get("NO_PROXY") or ""
    if no and proxy_bypass_environment(f"{url.host}:{url.port}", {"no": no}):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _shown(url: endpoints.URL, context: "ssl.SSLContext") -> str:
    """The fingerprint of the certificate that is shown there, which is all that `context` then asks of it."""
    import socket
    import ssl
    from hashlib import sha256

    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host = url.host.strip("[]")
    with socket.create_connection((host, url.port), timeout=5) as plain, context.wrap_socket(plain) as secure:
        return sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()


def tls_context(env: "Mapping[str, str]", cert: tuple[str, str] | None = None) -> "ssl.SSLContext":
    """The TLS context for the CA bundle that `env` names, or the system's; made once for each bundle.

    With a client certificate it is made anew: the files may have been replaced.
    """
    import os
    import ssl

    file = next((env[name] for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE") if env.get(name)), "")
    folder = env.get("SSL_CERT_DIR", "")
    if os.path.isdir(file):
        file, folder = "", file
    context = None if cert else _contexts.get((file, folder))
    if context is None:
        try:
            context = ssl.create_default_context(cafile=file or None, capath=folder or None)
        except OSError as error:
            raise UsageError(
                f"the CA bundle {file or folder} cannot be read",
                why=error.strerror or str(error),
                fix="unset REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE, or name a PEM file there",
            ) from None
        if not file and not folder and not context.cert_store_stats()["x509_ca"]:
            import certifi

            context.load_verify_locations(certifi.where())
        if cert is None:
            _contexts[file, folder] = context
        else:
            _present(context, cert)
    return context


def _present(context: "ssl.SSLContext", cert: tuple[str, str]) -> None:
    """Load the client certificate; a key that has a passphrase is refused, never asked for."""

    def passphrase() -> str:
        raise ValueError

    try:
        context.load_cert_chain(*cert, passphrase)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = "the key is encrypted with a passphrase" if isinstance(error, ValueError) else _tls_reason(error)
        raise BadCredentials(
            f"the client certificate {cert[0]} cannot be used with the key {cert[1]}",
            why=why,
            fix="name a certificate and the key that it was made for, both in PEM, the key without a passphrase",
        ) from None


def _tls_reason(error: OSError) -> str:
    reason = str(getattr(error, "reason", None) or error.strerror or "they cannot be read")
    return "they do not match" if "MISMATCH" in reason else reason.lower().replace("_", " ")
