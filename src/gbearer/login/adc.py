"""gcloud's application default credentials: the file that every Google library reads, written for a login of ours."""

import os

from gbearer import endpoints
from gbearer.errors import BadCredentials, Error, UsageError
from gbearer.sources import logins, wellknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources import Look
    from gbearer.sources.logins import Info


def check(look: "Look") -> None:
    """UsageError when what is there now is more than a person's login: that is never overwritten."""
    kind = _there(look).get("type", "none")
    if kind != "none" and kind not in logins.KINDS:
        path = wellknown.adc(look)
        raise UsageError(
            f"--adc would overwrite {path}",
            why=f"it is no person's login, which one can sign in to again, but of the type {kind!r}"
            if isinstance(kind, str) and kind
            else "it is no credential that is known",
            fix=f"move it away first: mv {path} {path}.old",
        )


def write(info: "Info", look: "Look") -> str:
    """Write the credential in `info` where gcloud keeps its own; its path comes back.

    0600, in one step. google-auth, Google's Node and Go libraries, Terraform and others read it.
    """
    import json

    path = wellknown.adc(look)
    document = {name: value for name, value in info.items() if name != "gbearer"}
    document.setdefault("universe_domain", endpoints.UNIVERSE)
    here = endpoints.emulator(look.env)
    if here is not None and info.get("type") == logins.KINDS[0]:
        document["token_uri"] = f"{here.origin}/token"  # for the libraries that know no emulator but read this
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        logins.write(path, json.dumps(document, indent=2).encode() + b"\n")
    except OSError as error:
        raise BadCredentials(
            f"{path} cannot be written",
            why=f"{(error.strerror or str(error)).lower()}; the login itself is kept",
            fix="make that folder writable for yourself, and run it again",
        ) from None
    return path


def forget(refresh_token: str, look: "Look") -> str:
    """Delete gcloud's file if it holds this refresh token, which has been revoked; its path, "" when it does not."""
    if not refresh_token or _there(look).get("refresh_token") != refresh_token:
        return ""
    path = wellknown.adc(look)
    return path if logins.remove(path) else ""


def _there(look: "Look") -> "Info":
    """What the file says now; {} where there is none, a nameless type where it cannot be read."""
    import json

    try:
        data = look.read(wellknown.adc(look), named=False)
        info = json.loads(data) if data is not None else {}
    except (Error, ValueError, RecursionError):
        return {"type": ""}
    return info if isinstance(info, dict) else {"type": ""}
