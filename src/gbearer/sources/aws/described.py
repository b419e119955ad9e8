"""The `credential_source` of an AWS file: which addresses it names, each checked before anything is sent."""

import re
from urllib.parse import parse_qsl

from gbearer import endpoints
from gbearer.errors import BadCredentials
from gbearer.sources import fields
from gbearer.sources.external import federation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.sources.external.federation import Federation

_METADATA = ("url", "region_url", "imdsv2_session_token_url")
_VERIFICATION = "regional_cred_verification_url"
_ASKED = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}


class Described:
    """What an AWS file says: the metadata service's origin ("" for AWS's own), and where Google asks who we are."""

    __slots__ = ("metadata", "verification")

    def __init__(self, metadata: str, verification: str) -> None:
        self.metadata = metadata
        self.verification = verification


def read(found: "Federation", env: "Mapping[str, str]", *, trust: bool) -> Described:
    """The addresses in the file; BadCredentials naming the field that is wrong or names another's host."""
    from gbearer.sources.external import trust as rules

    source, where = found.credential_source, found.where
    wrong = _wrong(found)
    if wrong:
        raise BadCredentials(
            f"{where} is no usable AWS federation file",
            why="; ".join(wrong),
            fix="gcloud iam workload-identity-pools create-cred-config PROVIDER --aws --output-file=FILE",
        )
    origins = {
        rules.aws_metadata_url(f"credential_source.{name}", fields.text(source, name), where, env, trust=trust).origin
        for name in _METADATA
        if fields.text(source, name)
    }
    if len(origins) > 1:
        raise BadCredentials(
            f"the addresses of the metadata service in {where} are not of one service",
            why=f"they name {' and '.join(sorted(origins))}",
            fix="make the file anew with `gcloud iam workload-identity-pools create-cred-config PROVIDER --aws`",
        )
    verification = fields.text(source, _VERIFICATION)
    url = rules.aws_sts_url(f"credential_source.{_VERIFICATION}", verification, where, env, trust=trust)
    _only_who_we_are(url, where)
    return Described(next(iter(origins), ""), verification)


def _wrong(found: "Federation") -> list[str]:
    source = found.credential_source
    given = source.get("environment_id")
    wrong = []
    if found.subject_type != federation.AWS:
        wrong.append(f"subject_token_type is {found.subject_type!r}, and for AWS it is {federation.AWS}")
    if not isinstance(given, str) or not re.fullmatch(r"aws[0-9]+", given):
        wrong.append("credential_source.environment_id is missing" if given is None else
                     f"credential_source.environment_id is {str(given)[:40]!r}, not aws1")  # fmt: skip
    elif given != "aws1":
        wrong.append(f"credential_source.environment_id is {given[:40]!r}, a version that is not known: only aws1 is")
    if not fields.text(source, _VERIFICATION):
        wrong.append(f"credential_source.{_VERIFICATION} is missing")
    odd = [name for name in (*_METADATA, _VERIFICATION) if not isinstance(source.get(name, ""), str)]
    return wrong + [f"credential_source.{name} is no text" for name in odd]


def _only_who_we_are(url: endpoints.URL, where: str) -> None:
    """A signed request is a right given away: nothing but GetCallerIdentity is ever signed for a file, not on trust."""
    if url.scheme == "https" and url.path == "/" and dict(parse_qsl(url.target.partition("?")[2])) == _ASKED:
        return
    raise BadCredentials(
        f"credential_source.{_VERIFICATION} in {where} asks AWS for something else than who we are",
        why=f"it is signed with this machine's AWS credentials and handed out, and it asks {url.target[:120]!r}; "
        "nothing was signed or sent",
        fix="restore it: https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    )
