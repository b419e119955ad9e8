"""AWS as the one that vouches: any of its sources, by a file that gcloud wrote or by `--source aws --provider`."""

from gbearer import log
from gbearer.errors import BadCredentials, UsageError
from gbearer.sources.aws import place as places
from gbearer.sources.external import federation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources import fields
    from gbearer.sources.aws.imds import Imds
    from gbearer.sources.aws.keys import Keys
    from gbearer.sources.aws.place import Place
    from gbearer.sources.external.federation import Federation
    from gbearer.sources.external.identity import Identity
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source
    from gbearer.transport import Transport

__all__ = ["find", "load"]

EXTRA = "pip install 'gbearer[aws]'"
_OF_BOTOCORE = ("botocore", "jmespath", "dateutil", "six")


def load(info: "fields.Info", where: str, ask: "Ask", look: "Look") -> "Source":
    """The credential in a file of gcloud's `create-cred-config --aws`; BadCredentials naming what is wrong with it.

    Follows https://google.aip.dev/auth/4117. The file knows environment and instance only; that keeps no other of
    AWS's sources out.
    """
    from gbearer.sources.aws import described

    found = federation.read(info, where, ask, look)
    told = described.read(found, look.env, trust=ask.trust_config)
    return _source(found, ask, look, told.metadata, told.verification)


def find(ask: "Ask", look: "Look", _: "Transport | None" = None) -> "Source":
    """The source of `--source aws --provider P`: no file at all."""
    source = _source(federation.named(str(ask.provider), federation.AWS, look), ask, look, "", "")
    source.name = "aws"
    return source


def _source(found: "Federation", ask: "Ask", look: "Look", metadata: str, verification: str) -> "Source":
    """`metadata` and `verification` are what a file says, see described.Described."""
    from gbearer.sources.external.workload import workload

    place = places.find(look)
    if ask.aws_token == "jwt":
        found.subject_type = federation.JWT
    look.found("AWS", place.words)
    look.remember = look.remember and place.remember
    got: list[tuple[Keys, str]] = []  # the keys of the last exchange, for who asks whose they were

    def obtain(transport: "Transport") -> str:
        from gbearer.sources.aws import caller, sts, subject

        got[:] = [_signer(place, metadata, look, transport)]
        keys, region = got[0]
        log.debug(f"AWS: {keys.source} in {region}")
        if ask.expect_role:
            caller.check(sts.caller(keys, region, transport), ask.expect_role, keys.source)
        if found.subject_type == federation.JWT:
            return subject.vouched(keys, region, found.audience, transport)
        return subject.request(keys, region, found.audience, verification)

    def identify(transport: "Transport") -> "Identity":
        from gbearer.sources.aws import caller, sts, subject

        keys, region = got[0] if got else _signer(place, metadata, look, transport)
        if found.subject_type == federation.JWT:
            token = subject.vouched(keys, region, found.audience, transport)
            return caller.identity_of_jwt(token, place, region)
        return caller.identity(sts.caller(keys, region, transport), place, region)

    pin = None if place.pin is None else f"aws\0{place.kind}\0{place.pin}"
    source = workload(found, obtain=obtain, fingerprint=pin, identify=identify)
    source.patience = place.patience
    source.checks_role = True
    return source


def _signer(place: "Place", metadata: str, look: "Look", transport: "Transport") -> "tuple[Keys, str]":
    """The keys of the place that was chosen, and of no other; and the region to sign for."""
    from gbearer.sources.aws.imds import Imds
    from gbearer.sources.aws.region import region

    imds = Imds(transport, metadata)
    if place.kind == places.INSTANCE:
        keys = imds.keys()
        return keys, region(place, transport, imds)
    if place.kind == places.ENVIRONMENT:
        keys = _environment(place, look)
        return keys, region(place, transport, imds)
    here = region(place, transport, imds)
    return _resolved(place, here, imds, look, transport), here


def _resolved(place: "Place", region: str, imds: "Imds", look: "Look", transport: "Transport") -> "Keys":
    try:
        from gbearer.sources.aws import resolver
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _OF_BOTOCORE:
            raise
        raise UsageError(
            f"the {place.words} needs botocore, which is not installed",
            why="without it the environment and the instance's role are read, and no other source of AWS's",
            fix=EXTRA,
        ) from None
    transport.allow(place.patience)
    return resolver.keys(place, region, imds, look, transport)


def _environment(place: "Place", look: "Look") -> "Keys":
    from gbearer.sources.aws.keys import Keys

    env = look.env
    if not env.get("AWS_SECRET_ACCESS_KEY"):
        raise BadCredentials(
            "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not",
            why="one without the other signs nothing",
            fix="export both (and AWS_SESSION_TOKEN for temporary ones), or unset both",
        )
    ends = env.get("AWS_CREDENTIAL_EXPIRATION", "")
    if ends and _is_past(ends):
        raise BadCredentials(
            "the AWS credentials in the environment have expired",
            why=f"AWS_CREDENTIAL_EXPIRATION says {ends[:40]}",
            fix="export new ones where these came from, or unset AWS_ACCESS_KEY_ID",
        )
    token = env.get("AWS_SESSION_TOKEN") or env.get("AWS_SECURITY_TOKEN")
    return Keys(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], token, place.words)


def _is_past(text: str) -> bool:
    """Whether a time (RFC 3339) is over; what cannot be read is not: AWS will say."""
    import datetime

    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return when.tzinfo is not None and when <= datetime.datetime.now(datetime.UTC)
