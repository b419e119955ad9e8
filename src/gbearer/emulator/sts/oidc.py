"""ID tokens and other JWTs of an identity provider: the checks of the Security Token Service on them."""

import json
from typing import Any

import aiohttp
import jwt

from gbearer.emulator import jose
from gbearer.emulator.answers import Refusal, oauth_refusal
from gbearer.emulator.sts.pools import Provider
from gbearer.emulator.world import World

ISSUER_KEY = "issuer"
_LEEWAY = 60  # seconds
_LONGEST = 48 * 3600
_ALGORITHMS = ("RS256", "ES256")
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_HERE = ("http://127.0.0.1", "http://[::1]", "http://localhost", "https://127.0.0.1", "https://localhost")


async def verified(world: World, provider: Provider, token: str) -> dict[str, Any]:
    """The claims of `token`, which a provider's issuer must have signed for this provider; raises Refusal."""
    seen = jose.peek(token)
    if seen is None:
        raise _refused("Invalid JWT: the ID Token cannot be parsed.")
    claims, algorithm, kid = seen.claims, seen.header.get("alg"), seen.header.get("kid")
    expected = str(provider.settings["issuerUri"])
    if claims.get("iss") != expected:
        raise _refused(f"The issuer in ID Token {claims.get('iss')} does not match the expected ones: {expected}")
    given = claims.get("aud")
    audiences = given if isinstance(given, list) else [given]
    if not set(map(str, audiences)) & set(provider.audiences):
        shown, wanted = ", ".join(map(str, audiences)), provider.audiences[0]
        raise _refused(f"The audience in ID Token [{shown}] does not match the expected audience {wanted}.")
    if algorithm not in _ALGORITHMS or not isinstance(kid, str):
        raise _refused("Invalid JWT: the header needs kid, and alg RS256 or ES256.")
    _check_times(claims, world.clock.now())
    key = next((key for key in await _keys(world, provider) if key.key_id == kid), None)
    if key is None:
        raise _refused(f"Invalid JWT: no key with kid {kid} at the issuer.")
    try:
        jwt.PyJWS().decode(token, key=key, algorithms=[algorithm])
    except jwt.InvalidTokenError:
        raise _refused("Invalid JWT: the signature of the ID Token is not valid.") from None
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise _refused("Invalid JWT: the ID Token has no sub.")
    return claims


def _check_times(claims: dict[str, Any], now: float) -> None:
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if not isinstance(issued_at, (int, float)) or not isinstance(expires_at, (int, float)):
        raise _refused("Invalid JWT: the ID Token needs iat and exp.")
    if issued_at > now + _LEEWAY:
        raise _refused(f"ID Token issued at {int(issued_at)} is in the future.")
    if expires_at <= now - _LEEWAY:
        raise _refused(f"ID Token issued at {int(issued_at)} is stale to sign-in.")
    if not 0 < expires_at - issued_at <= _LONGEST:
        raise _refused("Invalid JWT: the ID Token lives for more than 48 hours.")


async def _keys(world: World, provider: Provider) -> list[jwt.PyJWK]:
    """The provider's keys: uploaded, found by discovery on this machine, or the emulator's own issuer's."""
    uploaded, issuer = provider.settings.get("jwksJson"), str(provider.settings["issuerUri"])
    if uploaded:
        document = uploaded if isinstance(uploaded, dict) else _parsed(str(uploaded))
    elif any(issuer == here or issuer.startswith((f"{here}:", f"{here}/")) for here in _HERE):
        document = await _discovered(issuer.rstrip("/"))
    else:
        document = {"keys": [jose.jwk(world.kept.key(ISSUER_KEY))]}
    try:
        return jwt.PyJWKSet.from_dict(document).keys
    except (jwt.PyJWTError, AttributeError, TypeError):
        return []


async def _discovered(issuer: str) -> dict[str, Any]:
    """The JWKS that OIDC discovery (§4) names for an issuer on this machine."""
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session:
            async with session.get(f"{issuer}/.well-known/openid-configuration", allow_redirects=False) as response:
                about = _parsed(await response.text())
            where = str(about["jwks_uri"])
            if not where.startswith(_HERE):
                raise ValueError("keys elsewhere")
            async with session.get(where, allow_redirects=False) as response:
                return _parsed(await response.text())
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
        raise oauth_refusal("invalid_grant", "Error connecting to the given credential's issuer.") from None


def _parsed(text: str) -> dict[str, Any]:
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document


def _refused(description: str) -> Refusal:
    return oauth_refusal("invalid_grant", description)
