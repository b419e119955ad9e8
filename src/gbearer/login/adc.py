"""gcloud's application default credentials: the file that every Google library reads, written for a login of ours."""

import os
from shlex import quote

from gbearer import endpoints
from gbearer.errors import BadCredentials, Error, UsageError
from gbearer.sources import disk, logins, wellknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources import Look
    from gbearer.sources.logins import Info


def check(look: "Look") -> None:
    """UsageError when what is there now is more than a person's login: that is never overwritten.

    Nor is a real login while an emulator is set: trying something out is no reason to lose it.
    """
    there, path = _there(look), wellknown.adc(look)
    if there is None:
        return
    kind = there.get("type")
    if kind not in logins.KINDS:
        raise UsageError(
            f"--adc would overwrite {path}",
            why=f"it is no person's login, which one can sign in to again, but of the type {kind!r}"
            if isinstance(kind, str) and kind
            else "it is no credential that is known",
            fix=f"move it away first: mv {quote(path)} {quote(path)}.old",
        )
    emulated = str(there.get("refresh_token") or endpoints.EMULATOR_MARK).startswith(endpoints.EMULATOR_MARK)
    if endpoints.emulator(look.env) is not None and not emulated:
        raise UsageError(
            f"--adc would overwrite {path}",
            why=f"it holds a real login, and {endpoints.EMULATOR_VARIABLE} is set",
            fix='give the emulator a folder of its own: export CLOUDSDK_CONFIG="$(mktemp -d)"',
        )


def write(info: "Info", look: "Look") -> str:
    """Write the credential in `info` where gcloud keeps its own; its path comes back.

    0600, in one step. google-auth, Google's Node and Go libraries, Terraform and others read it.
    """
    import json

    path, account = wellknown.adc(look), str(info.get("account"))
    document = {name: value for name, value in info.items() if name != "gbearer"}
    document.setdefault("universe_domain", endpoints.UNIVERSE)
    here = endpoints.emulator(look.env)
    if here is not None and info.get("type") == logins.KINDS[0]:
        document["token_uri"] = f"{here.origin}/token"  # for the libraries that know no emulator but read this
    try:
        disk.make_folder(os.path.dirname(path))
        disk.write(path, json.dumps(document, indent=2).encode() + b"\n")
    except OSError as error:
        raise BadCredentials(
            f"{path} cannot be written",
            why=f"{(error.strerror or str(error)).lower()}; the login itself is kept",
            fix=f"make that folder writable for yourself, and run `{logins.sign_in(account)} --adc`",
        ) from None
    return path


def forget(refresh_token: str, look: "Look") -> str:
    """Delete gcloud's file if it holds this refresh token, which has been revoked; its path, "" when it does not.

    What a writer of ours that was killed has left beside it goes as well, by the same rule or by its age.
    """
    path = wellknown.adc(look)
    folder, name = os.path.split(path)
    if refresh_token:
        for each, _ in list(disk.left(folder, name)):
            if _holds(each) == refresh_token:
                disk.remove(each)
    disk.sweep(folder, name)
    there = _there(look) or {}
    if not refresh_token or there.get("refresh_token") != refresh_token:
        return ""
    return path if disk.remove(path) else ""


def _holds(file: str) -> object:
    """The refresh token in what was left, whole or cut short; None where that cannot be told."""
    import json

    try:
        info = json.loads(disk.read(file) or b"")
    except (disk.Unusable, Error, ValueError, RecursionError):
        return None
    return info.get("refresh_token") if isinstance(info, dict) else None


def _there(look: "Look") -> "Info | None":
    """What the file says now; None where there is none, {} where it cannot be read."""
    import json

    try:
        data = look.read(wellknown.adc(look), named=False)
        info = json.loads(data) if data is not None else None
    except (Error, ValueError, RecursionError):
        return {}
    return info if isinstance(info, dict) or data is None else {}
