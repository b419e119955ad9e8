"""Universes: which one a host belongs to; besides Google's own there is one more here, with no sign-in and no OAuth."""

GOOGLE = "googleapis.com"
OTHER = "emulator-universe.example"


def of(host: str) -> str:
    """The universe of the API at `host` (a Host header); empty for this machine and for names of nobody's."""
    name = host.lower().partition(":")[0]
    return next((one for one in (GOOGLE, OTHER) if name.endswith(f".{one}")), "")


def service(host: str) -> str:
    """What stands before the universe in `host`: `storage`, `sts.mtls`, `storage.us-east1.rep`."""
    name = host.lower().partition(":")[0]
    return name.removesuffix(f".{of(host)}") if of(host) else ""


def fits(own: str, host: str) -> bool:
    """Whether a credential of the universe `own` is one at `host`; at this machine's own address each is."""
    return of(host) in ("", own)
