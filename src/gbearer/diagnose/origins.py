"""Check where a federation file takes its subject token from: files, URLs, programs, certificates and AWS, offline."""

import os

from gbearer import claims
from gbearer.diagnose.finding import BAD, NOTE, OK, Finding
from gbearer.errors import Error
from gbearer.sources import fields
from gbearer.sources.external import Federation, Identity, certificate, executable, federation, spoken, subject, trust
from gbearer.sources.external.identity import LONGEST_SUBJECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gbearer.model import Ask
    from gbearer.sources.look import Look

    Check = Callable[[Federation, Ask, Look, list[Finding]], Identity]

_SESSION = 64
"""Bytes that AWS allows the name of a session to have."""


def examine(info: "Mapping[str, object]", where: str, ask: "Ask", look: "Look", found: list[Finding]) -> Identity:
    """Add what is found about `credential_source` to `found`; returns whose subject token it is, as far as is known."""
    source = info.get("credential_source")
    if not isinstance(source, dict) or not source:
        found.append(Finding(BAD, "credential_source", "it is missing, or no object", federation.remake(info)))
        return Identity("")
    told = Federation(fields.text(info, "audience"), fields.text(info, "subject_token_type"), where)
    told.credential_source = source
    names = ["environment_id"] if "environment_id" in source else [name for name in _CHECKS if name in source]
    if len(names) != 1:
        text = f"it names {' and '.join(names) or 'none of ' + ', '.join(_CHECKS)}, and has to name exactly one"
        found.append(Finding(BAD, "credential_source", text, federation.remake(info)))
        return Identity("")
    wanted = {"certificate": federation.MTLS, "environment_id": federation.AWS}.get(names[0])
    kind = told.subject_type
    if (wanted or kind) != kind or (wanted is None and kind in (federation.MTLS, federation.AWS)):
        text = f"{kind!r} does not go with credential_source.{names[0]}"
        found.append(Finding(BAD, "subject_token_type", text, federation.remake(info)))
    try:
        return _CHECKS[names[0]](told, ask, look, found)
    except Error as error:
        text = f"{error.message}: {error.why}" if error.why else error.message
        found.append(Finding(BAD, f"credential_source.{names[0]}", text, error.fix))
        return Identity("")


def _file(told: Federation, _: "Ask", look: "Look", found: list[Finding]) -> Identity:
    token = subject.from_file(told, look)
    return _token(token, told, f"credential_source.file {told.credential_source['file']}", found)


def _token(token: str, told: Federation, about: str, found: list[Finding]) -> Identity:
    """What a subject token that is at hand says of itself."""
    if told.subject_type == federation.SAML:
        identity = spoken.of_saml(token)
    else:
        identity = spoken.of_jwt(token)
        if not claims.claims(token):
            found.append(Finding(BAD, about, "what it holds is no JWT", "check whoever writes it"))
            return identity
        wanted = f"https:{told.audience}"
        audiences = claims.claims(token).get("aud")
        if wanted not in (audiences if isinstance(audiences, list) else [audiences]):
            text = f"the token's audience is not {wanted}: the provider's allowedAudiences have to name it"
            found.append(Finding(NOTE, "allowed audiences", text))
    said = ", ".join(f"{label} {text}" for label, text in identity.rows)
    found.append(Finding(OK, about, said or "a token whose subject cannot be read"))
    found += length(identity)
    return identity


def length(identity: Identity) -> list[Finding]:
    """A finding when the subject is longer than Google takes."""
    if identity.length <= LONGEST_SUBJECT:
        return []
    text = f"it has {identity.length} bytes, and Google takes {LONGEST_SUBJECT}"
    return [Finding(BAD, "google.subject", text, "map google.subject to something shorter in the provider")]


def _url(told: Federation, ask: "Ask", _: "Look", found: list[Finding]) -> Identity:
    subject.at_url(told, ask)
    url = str(told.credential_source["url"])
    found.append(Finding(OK, "credential_source.url", trust.subject_url("url", url, told.where, trust=True).origin))
    return Identity("")


def _executable(told: Federation, _: "Ask", look: "Look", found: list[Finding]) -> Identity:
    import shutil

    program = executable.read(told)
    about = "credential_source.executable"
    path = shutil.which(program.argv[0], path=look.env.get("PATH", os.defpath))
    if path is None:
        fix = "correct the command (an absolute path is best), or install the program"
        found.append(Finding(BAD, about, f"there is no program {program.argv[0]}", fix))
    else:
        found.append(Finding(OK, about, f"{path}, at most {program.seconds:.0f} s"))
    if look.env.get(executable.ALLOW) != "1":
        fix = f"look at the command in the file, and if you trust it: export {executable.ALLOW}=1"
        found.append(Finding(BAD, "permission", f"{executable.ALLOW} is not 1: it will not be run", fix))
    if program.output and not os.path.isdir(os.path.dirname(program.output) or "."):
        text = f"there is no folder for {program.output}"
        found.append(Finding(BAD, f"{about}.output_file", text, "make the folder, or correct the path"))
    return Identity("")


def _certificate(told: Federation, _: "Ask", look: "Look", found: list[Finding]) -> Identity:
    pair = certificate.read(told, look)
    certificate.subject_token(pair)
    identity = certificate.identity(pair)
    said = ", ".join(f"{label} {text}" for label, text in identity.rows)
    found.append(Finding(OK, "credential_source.certificate", f"{pair.cert_path} and its key; {said}"))
    found += length(identity)
    return identity


def _aws(told: Federation, ask: "Ask", look: "Look", found: list[Finding]) -> Identity:
    from gbearer.sources.aws import described

    said = described.read(told, look.env, trust=ask.trust_config)
    service = said.metadata or "the metadata service's usual address"
    found.append(Finding(OK, "credential_source", f"AWS: {service}, {said.verification.split('?')[0]}"))
    return _role(ask.expect_role, found)


def _role(arn: str | None, found: list[Finding]) -> Identity:
    """What a role of AWS is called by those who assume it, and how much room is left for the session's name."""
    parts = (arn or "").split(":", 5)
    if len(parts) != 6 or not parts[5].startswith(("role/", "assumed-role/")):
        return Identity("")
    kind, _, path = parts[5].partition("/")
    name = path.rpartition("/")[2] if kind == "role" else path.partition("/")[0]
    role = f"arn:{parts[1]}:sts::{parts[4]}:assumed-role/{name}"
    room = LONGEST_SUBJECT - len(f"{role}/")
    text = f"{role}/SESSION: {room} bytes are left for the name of the session"
    if room >= _SESSION:
        found.append(Finding(OK, "google.subject", text))
    else:
        fix = "keep session names that short, or map google.subject to something shorter in the provider"
        found.append(Finding(NOTE if room > 0 else BAD, "google.subject", text, fix))
    return Identity(f"{role}/SESSION", groups=(("aws_role", role),))


_CHECKS: "Mapping[str, Check]" = {
    "file": _file,
    "url": _url,
    "executable": _executable,
    "certificate": _certificate,
    "environment_id": _aws,
}
