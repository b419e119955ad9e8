"""A service identity of Google Distributed Cloud (`"type": "gdch_service_account"`), whose cloud is on the premises."""

import re

from gbearer import endpoints
from gbearer.errors import BadCredentials, Denied, Unreachable, UsageError
from gbearer.sources import fields, universe
from gbearer.sources.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.transport import Answer, Transport

KIND = "gdch_service_account"
_FIELDS = ("format_version", "project", "private_key_id", "private_key", "name", "token_uri")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_PEM = re.compile(r"-----BEGIN ((?:EC )?PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_FIX = "get the file anew from whoever runs the cloud, whole and unchanged"


def load(info: "fields.Info", where: str, ask: "Ask", look: "Look") -> Source:
    """The service identity in `info`; BadCredentials naming everything that is wrong, UsageError for what it cannot do.

    `token_uri` may be any host over https, as the cloud may have any name: all that is sent there is an assertion
    that is for that URL and of no use elsewhere. Over plain http it is this machine only.
    """
    _check_fields(info, where)
    token_uri, key_id = fields.text(info, "token_uri"), fields.text(info, "private_key_id")
    _check_uri(token_uri, where, look.env)
    endpoints.made_by_emulator(key_id, "private key", where, look.env)
    _check_possible(ask, where)
    authorities = _authorities(fields.text(info, "ca_cert_path"), where, look)
    project, name = fields.text(info, "project"), fields.text(info, "name")
    private_key = fields.text(info, "private_key")

    def make(ask: "Ask", transport: "Transport") -> "Any":
        if ask.kind == "jwt":
            raise UsageError(
                "a self-signed JWT needs a service account key",
                why=f"{where} is of a Distributed Cloud, which takes no assertion but at its token endpoint",
                fix="drop --type jwt",
            )
        if not ask.audience:
            raise UsageError(
                "a token of a Distributed Cloud needs an audience",
                why=f"{where} is of one, and each of its services takes tokens for itself only",
                fix="gbearer token --audience https://SERVICE.DOMAIN",
            )
        key = _parsed(private_key, where)
        if authorities:
            transport.trust(token_uri, _context(authorities, fields.text(info, "ca_cert_path"), where))
        return _credential(key, key_id, name, project, token_uri, ask)

    source = Source(KIND, make, principal=f"system:serviceaccount:{project}:{name}", scopes=())
    source.universe = universe.of_environment(look.env) or endpoints.UNIVERSE  # it is of none
    return source


def _credential(key: "Any", key_id: str, name: str, project: str, token_uri: str, ask: "Ask") -> "Any":
    """google-auth's credential, which speaks through what it takes for a session of requests, and is our transport."""
    from google.auth.crypt import ES256Signer
    from google.auth.transport import requests
    from google.oauth2.gdch_credentials import ServiceAccountCredentials

    class Request(requests.Request):
        """google-auth's interface for it: sends by `way`, and has no session."""

        session: "Any" = None

        def __init__(self, way: "Any") -> None:
            self.way = way

        def __call__(
            self,
            url: str,
            method: str = "GET",
            body: bytes | None = None,
            headers: "Mapping[str, str] | None" = None,
            timeout: float | None = None,
            **_: object,
        ) -> "Answer":
            try:
                answer: Answer = self.way(url, method, body, headers, timeout)
            except Unreachable as error:
                if error.message.endswith("is not trusted"):
                    error.fix = "correct ca_cert_path in the file: the CA that issued the certificate, in PEM"
                raise
            return answer

    class Credentials(ServiceAccountCredentials):
        """The same, refreshed through our transport; for an ID token the answer has to be one."""

        def refresh(self, request: "Any") -> None:
            super().refresh(Request(request))
            if ask.kind == "id" and str(self.token).count(".") != 2:
                raise Denied(
                    f"this Distributed Cloud gives no ID token for {ask.audience}",
                    why="its token for that audience is no JWT",
                    fix=f"gbearer token --audience {ask.audience} (--format header for the header)",
                )

    made: Any = Credentials
    return made(ES256Signer(key, key_id), name, project, ask.audience, token_uri, None)


def _check_fields(info: "fields.Info", where: str) -> None:
    """BadCredentials naming every field that is missing or wrong."""
    wrong: list[str] = []
    try:
        fields.check(info, where, "service identity", _FIELDS, ("ca_cert_path",))
    except BadCredentials as error:
        wrong.append(error.why)
    version = info.get("format_version")
    if isinstance(version, str) and version.strip() and version != "1":
        wrong.append(f"format_version is {version[:20]!r}, and 1 is what is known")
    for name in ("project", "name"):
        value = info.get(name)
        if isinstance(value, str) and value.strip() and not _NAME.fullmatch(value):
            wrong.append(f"{name} {value[:60]!r} is not a name")
    if wrong:
        raise BadCredentials(f"{where} is no usable service identity", why="; ".join(wrong), fix=_FIX)


def _check_uri(token_uri: str, where: str, env: "Mapping[str, str]") -> None:
    try:
        url = endpoints.parse(token_uri, f"token_uri in {where}")
    except UsageError as error:
        raise BadCredentials(error.message, why=error.why, fix=_FIX) from None
    here = endpoints.emulator(env)
    if here is not None and not endpoints.is_loopback(url.host):
        raise BadCredentials(
            f"token_uri in {where} names {url.origin}, and {endpoints.EMULATOR_VARIABLE} is set",
            why="while an emulator is set nothing is sent past it",
            fix=f"unset {endpoints.EMULATOR_VARIABLE}, or use the emulator's own gdch.json",
        )
    if url.scheme != "https" and not endpoints.is_loopback(url.host):
        raise BadCredentials(
            f"token_uri in {where} names {url.origin}",
            why="over plain http anybody in between could take the token; nothing was sent",
            fix=f"write it with https://, or {_FIX}",
        )


def _check_possible(ask: "Ask", where: str) -> None:
    """UsageError for options that are Google Cloud's: a Distributed Cloud has nothing of the kind."""
    given = {
        "--impersonate": ask.impersonate,
        "--subject": ask.subject,
        "--scope": ask.scopes,
        "a boundary": ask.boundary,
        "--quota-project": ask.quota_project,
        "--lifetime": ask.lifetime,
    }
    named = [name for name, value in given.items() if value]
    if named:
        raise UsageError(
            f"{', '.join(named)} and a service identity of a Distributed Cloud do not go together",
            why=f"{where} is for a cloud on the premises; its tokens have an audience, and nothing else to choose",
            fix="drop it, or name a credential of Google Cloud with --credentials",
        )


def _authorities(path: str, where: str, look: "Look") -> str:
    """The certificates in the file that `ca_cert_path` names, "" where it names none."""
    if not path:
        return ""
    data = look.read(path)
    if data is None:
        raise BadCredentials(
            f"there is no file {path[:300]}",
            why=f"ca_cert_path in {where} names it",
            fix="correct ca_cert_path: the CA that issued the certificate of the token endpoint, in PEM",
        )
    return data.decode("latin-1")


def _context(authorities: str, path: str, where: str) -> "ssl.SSLContext":
    """A TLS context that trusts these authorities and no others."""
    import ssl

    try:
        return ssl.create_default_context(cadata=authorities)
    except (ssl.SSLError, ValueError) as error:
        raise BadCredentials(
            f"{path} holds no certificate that can be used",
            why=f"ca_cert_path in {where} names it, and it is " + _what(authorities, error),
            fix="name the CA's certificate there, in PEM: it begins -----BEGIN CERTIFICATE-----",
        ) from None


def _what(text: str, error: Exception) -> str:
    if "PRIVATE KEY-----" in text and "BEGIN CERTIFICATE" not in text:
        return "a private key"
    if "-----BEGIN CERTIFICATE-----" in text:
        reason = str(getattr(error, "reason", None) or "damaged")
        return f"damaged: {reason.lower().replace('_', ' ')}" if reason != "damaged" else reason
    return "no PEM text"


def _parsed(text: str, where: str) -> "Any":
    r"""The EC key in PEM `text` (SEC 1 or PKCS#8), also with `\n` spelled out; BadCredentials for any other."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    found = _PEM.search(text)
    if not found:
        raise _bad_key(where, "it is no private key in PEM, or it is cut off")
    body = re.sub(r"(\\+[nrt]|\s)+", "", found[2])
    lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    try:
        key = load_pem_private_key(f"-----BEGIN {found[1]}-----\n{lines}\n-----END {found[1]}-----\n".encode(), None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        encrypted = "ENCRYPTED" in found[2]
        why = "it is encrypted with a passphrase" if encrypted else "it cannot be parsed: bytes are missing or changed"
        raise _bad_key(where, why) from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise _bad_key(where, "it is no EC key")
    if not isinstance(key.curve, SECP256R1):
        raise _bad_key(where, f"it is on the curve {key.curve.name}, and P-256 is what is taken")
    return key


def _bad_key(where: str, why: str) -> BadCredentials:
    return BadCredentials(f"the private key in {where} cannot be used", why=why, fix=_FIX)
