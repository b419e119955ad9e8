"""Connections: which authorities are trusted and which proxy is used, from the variables everybody reads."""

from gbearer import endpoints
from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    import urllib3

_contexts: "dict[tuple[str, str], ssl.SSLContext]" = {}


def open_connection_pool(url: endpoints.URL, env: "Mapping[str, str]") -> "urllib3.PoolManager":
    """A urllib3 manager for `url`, through the proxy that `env` names where it names one for this host."""
    import urllib3

    context = tls_context(env) if url.scheme == "https" else None
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
    """The proxy's URL, or None: loopback and metadata addresses never go through one."""
    if endpoints.is_loopback(url.host) or endpoints.is_metadata(url, env):
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


def tls_context(env: "Mapping[str, str]") -> "ssl.SSLContext":
    """The TLS context for the CA bundle that `env` names, or the system's; made once for each bundle."""
    import os
    import ssl

    file = next((env[name] for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE") if env.get(name)), "")
    folder = env.get("SSL_CERT_DIR", "")
    if os.path.isdir(file):
        file, folder = "", file
    context = _contexts.get((file, folder))
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
        _contexts[file, folder] = context
    return context
