"""The subject token that AWS vouches with: a signed GetCallerIdentity request, or a JWT of GetWebIdentityToken."""

from gbearer.sources.aws import sts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.aws.keys import Keys
    from gbearer.transport import Transport

_TARGET = "x-goog-cloud-target-resource"


def request(keys: "Keys", region: str, audience: str, verification: str) -> str:
    """A GetCallerIdentity request for Google's STS to send, signed and written down; nothing is sent here.

    `verification` is the file's `regional_cred_verification_url`, "" for AWS's own of the region. The provider is
    among the signed headers, so that no other provider takes the request: google-auth's own supplier hook leaves it
    unsigned, and knows one host only, which is why its signer is used beneath it.
    Follows https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds#rest (the token's form).
    """
    import json
    from urllib.parse import quote

    url = verification.replace("{region}", region) or f"{sts.host_url(region)}?{sts.QUERY}"
    signed = sts.signed(keys, region, url, {_TARGET: audience})
    headers = [{"key": name, "value": value} for name, value in signed["headers"].items()]
    document = {"url": signed["url"], "method": signed["method"], "headers": headers}
    return quote(json.dumps(document, separators=(",", ":"), sort_keys=True))


def vouched(keys: "Keys", region: str, audience: str, transport: "Transport") -> str:
    """A JWT for the provider's own address, which an OIDC provider takes where it names no other audience."""
    return sts.web_identity_token(keys, region, f"https:{audience}", transport)
