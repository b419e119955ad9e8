"""Federation: somebody outside Google vouches for this program, and STS gives a token for it (`external_account`)."""

from gbearer.sources.external import federation
from gbearer.sources.external.federation import Federation
from gbearer.sources.external.identity import Identity
from gbearer.sources.external.workload import workload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources import fields
    from gbearer.sources.external.workload import Obtain
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source
    from gbearer.transport import Transport

__all__ = ["Federation", "Identity", "find", "load", "workload"]


def load(info: "fields.Info", where: str, ask: "Ask", look: "Look") -> "Source":
    """The credential in a file of the type `external_account`; BadCredentials naming everything that is wrong.

    Follows https://google.aip.dev/auth/4117. What the subject token's own file says pins the identity; where it comes
    from a URL or a program, the machine and the environment do.
    """
    source = info.get("credential_source")
    if info.get("subject_token_type") == federation.AWS or (isinstance(source, dict) and "environment_id" in source):
        from gbearer.sources import aws

        return aws.load(info, where, ask, look)
    found = federation.read(info, where, ask, look)
    given = [name for name in _READERS if name in found.credential_source]
    if len(given) != 1:
        from gbearer.sources.external import subject

        names = ", ".join(_READERS)
        told = f"both {' and '.join(given)}" if given else f"none of {names}"
        raise subject.broken(found, f"credential_source has {told}, and it wants exactly one")
    return _READERS[given[0]](found, ask, look)


def find(ask: "Ask", look: "Look", transport: "Transport") -> "Source":
    """The source of `--source aws`, `github`, `gitlab` or `azure` with `--provider`."""
    if ask.source == "aws":
        from gbearer.sources import aws

        return aws.find(ask, look, transport)
    from gbearer.sources.external import ambient

    found, obtain, pinned = ambient.find(ask, look)
    source = _spoken(found, obtain, pinned)
    source.name = ask.source
    return source


def _file(found: Federation, _: "Ask", look: "Look") -> "Source":
    from gbearer.sources.external import spoken, subject

    token = subject.from_file(found, look)
    return _spoken(found, lambda _: token, spoken.pin(token))


def _url(found: Federation, ask: "Ask", look: "Look") -> "Source":
    from gbearer.sources import detect
    from gbearer.sources.external import subject

    obtain = subject.at_url(found, ask)
    look.remember = False  # who asks there, no file says
    return _spoken(found, obtain, detect.machine(look, repr(found.credential_source)))


def _executable(found: Federation, _: "Ask", look: "Look") -> "Source":
    from gbearer.sources import detect
    from gbearer.sources.external import executable

    program = executable.read(found)
    executable.allowed(found, program, look.env)
    look.remember = False  # what a program depends on, only it knows
    source = _spoken(
        found, executable.at_command(found, program, look), detect.machine(look, executable.pin(program, look))
    )
    source.patience = program.seconds
    return source


def _certificate(found: Federation, _: "Ask", look: "Look") -> "Source":
    from gbearer.sources.external import certificate

    pair = certificate.read(found, look)
    return workload(
        found,
        obtain=lambda _: certificate.subject_token(pair),
        fingerprint=pair.pin(),
        identify=lambda _: certificate.identity(pair),
        cert=(pair.cert_path, pair.key_path),
    )


_READERS = {"file": _file, "url": _url, "executable": _executable, "certificate": _certificate}


def _spoken(found: Federation, obtain: "Obtain", pinned: str | None) -> "Source":
    """A workload whose subject token itself says whose it is."""
    last: list[str] = []

    def noted(transport: "Transport") -> str:
        last[:] = [obtain(transport)]
        return last[0]

    def identify(transport: "Transport") -> Identity:
        from gbearer.sources.external import spoken

        token = last[0] if last else noted(transport)
        return spoken.of_saml(token) if found.subject_type == federation.SAML else spoken.of_jwt(token)

    return workload(found, obtain=noted, fingerprint=pinned, identify=identify)
