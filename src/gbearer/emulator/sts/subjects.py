"""Subject tokens made to order: what the emulator's own identity providers would hand to a program of theirs."""

from collections.abc import Mapping

from gbearer.emulator import jose
from gbearer.emulator.sts import saml
from gbearer.emulator.sts.oidc import ISSUER_KEY
from gbearer.emulator.sts.pools import Provider
from gbearer.emulator.world import World

SUBJECT = "system:serviceaccount:default:emulator-workload"
SAML_SUBJECT = "emulator-workload@example.com"
LIFE = 6 * 3600  # seconds, what Google advises at most


def id_token(world: World, provider: Provider, claims: Mapping[str, object] = {}) -> str:
    """An ID token for an OIDC `provider`, signed by the emulator's issuer key; a claim of None is left out."""
    now = int(world.clock.now())
    whole: dict[str, object] = {
        "iss": provider.settings["issuerUri"],
        "sub": SUBJECT,
        "aud": provider.audiences[0],
        "iat": now,
        "exp": now + LIFE,
        **claims,
    }
    return jose.sign(world.kept.key(ISSUER_KEY), {name: value for name, value in whole.items() if value is not None})


def saml_response(
    world: World, provider: Provider, subject: str = SAML_SUBJECT, attributes: Mapping[str, str] = {}
) -> str:
    """A SAML response for a SAML `provider`, by the emulator's identity provider, base64-encoded."""
    return saml.response(world, provider, subject, LIFE, attributes)
