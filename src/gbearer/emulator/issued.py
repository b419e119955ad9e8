"""The tokens the emulator has handed out: minting access and ID tokens, and knowing them again."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gbearer.emulator import jose, scopes
from gbearer.emulator.grants import Grant
from gbearer.emulator.remembered import Access, Remembered
from gbearer.emulator.universe import GOOGLE
from gbearer.emulator.world import World, account_member

__all__ = ["Access", "Found", "Issued", "account_id_token", "read_id_token", "user_id_token"]

ISSUER = "https://accounts.google.com"
HOUR = 3600
_FUTURE = 300  # seconds that an `iat` may lie ahead of our clock


@dataclass(frozen=True)
class Found:
    """What a presented access token turned out to be."""

    state: Literal["good", "expired", "unknown"]
    access: Access | None = None


class Issued:
    """Every access token that is still alive; they outlive a reset and, with a file, a restart."""

    def __init__(self, world: World, file: Path | None = None) -> None:
        self.world = world
        self._tokens = Remembered(file, world.clock.now())
        self._sweep_at = 0.0

    def for_account(
        self, email: str, wanted: tuple[str, ...], lifetime: int = HOUR, universe: str = ""
    ) -> tuple[str, Access]:
        """A new access token of a service account, good in its own universe unless one is named."""
        unique_id = self.world.accounts[email].unique_id
        members = frozenset({account_member(email)})
        expires_at = self.world.clock.now() + lifetime
        universe = universe or self.world.accounts[email].universe
        access = Access(email, unique_id, unique_id, wanted, expires_at, members=members, universe=universe)
        return self._add("ya29.c.c0A" + secrets.token_urlsafe(180), access)

    def for_user(self, email: str, wanted: tuple[str, ...], azp: str, grant: Grant | None = None) -> tuple[str, Access]:
        """A new access token of a user: by `grant`, or by a service account acting for them."""
        name = grant.id if grant else ""
        unique_id = self.world.users[email].unique_id
        members, expires_at = frozenset({f"user:{email}"}), self.world.clock.now() + HOUR
        access = Access(email, unique_id, azp, wanted, expires_at, name, user=True, members=members)
        return self._add("ya29.a0A" + secrets.token_urlsafe(150), access)

    def for_federated(
        self,
        principal: str,
        subject: str,
        members: frozenset[str],
        wanted: tuple[str, ...],
        azp: str,
        universe: str = GOOGLE,
        grant: str = "",
    ) -> tuple[str, Access]:
        """A new access token of a principal of a pool, who counts as each of `members`; `grant` is their session."""
        expires_at = self.world.clock.now() + HOUR
        access = Access(principal, subject, azp, wanted, expires_at, grant, members=members, universe=universe)
        return self._add("ya29.d.c0A" + secrets.token_urlsafe(220), access)

    def for_boundary(self, source: Access, boundary: str) -> tuple[str, Access]:
        """A new token that stands for what `source` does within `boundary` (JSON), and ends when it ends."""
        return self._add("ya29.dr.A" + secrets.token_urlsafe(200), replace(source, boundary=boundary))

    def find(self, value: str) -> Found:
        """What the access token `value` stands for, by the emulator's clock."""
        access = self._tokens.get(value)
        if access is None:
            return Found("unknown")
        if access.expires_at <= self.world.clock.now():
            return Found("expired", access)
        return Found("good", access)

    def revoke(self, value: str) -> Literal["revoked", "unknown", "not revocable"]:
        """Take back a user's access or refresh token, and with it the whole grant (RFC 7009); no session of a pool."""
        grant, found = self.world.grants.find(value), self.find(value)
        name = grant.id if grant is not None and not grant.workforce else ""
        if grant is None and found.state == "good" and found.access is not None:
            name = found.access.grant
            if not name or found.access.boundary or found.access.federated:
                return "not revocable"
            grant = self.world.grants.by_id(name)
        if not name or (grant is not None and grant.revoked):
            return "unknown"
        self.end(name)
        return "revoked"

    def end(self, name: str) -> None:
        """End the grant called `name`, and with it every access token that came from it."""
        grant = self.world.grants.by_id(name)
        if grant is not None:
            self.world.grants.revoke(grant)
        self._tokens.keep({digest for digest, one in self._tokens.items() if one.grant != name})

    def _add(self, value: str, access: Access) -> tuple[str, Access]:
        now = self.world.clock.now()
        if now > self._sweep_at:  # keep the expired for a day: they are refused in words of their own
            self._tokens.keep({name for name, one in self._tokens.items() if one.expires_at > now - 24 * HOUR})
            self._sweep_at = now + HOUR
        self._tokens.add(value, access)
        return value, access


def account_id_token(world: World, email: str, audience: str, extra: Mapping[str, object] = {}) -> str:
    """An ID token of a service account for `audience`; `extra` are further claims."""
    unique_id = world.accounts[email].unique_id
    now = int(world.clock.now())
    claims = {"aud": audience, "azp": unique_id, "exp": now + HOUR, "iat": now, "iss": ISSUER, "sub": unique_id}
    return jose.sign(world.google_key, {**claims, **extra})


def user_id_token(world: World, grant: Grant, wanted: tuple[str, ...], access_token: str, nonce: str = "") -> str:
    """The OpenID Connect ID token that comes with a user's access token (OIDC Core §3.1.3.6)."""
    user = world.users[grant.user]
    now = int(world.clock.now())
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "azp": grant.client_id,
        "aud": grant.client_id,
        "sub": user.unique_id,
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        "iat": now,
        "exp": now + HOUR,
    }
    held = {scopes.canonical(scope) for scope in wanted}
    if scopes.EMAIL in held:
        claims |= {"email": user.email, "email_verified": True, "hd": user.email.partition("@")[2]}
    if scopes.PROFILE in held:
        given, _, family = user.name.partition(" ")
        claims |= {"name": user.name, "given_name": given, "family_name": family}
    if nonce:
        claims["nonce"] = nonce
    return jose.sign(world.google_key, claims)


def read_id_token(world: World, token: str) -> tuple[Literal["good", "expired", "unknown"], dict[str, Any]]:
    """The claims of an ID token of ours, checked by signature, issuer and the emulator's clock."""
    seen = jose.peek(token)
    if seen is None or jose.signed_by(token, [world.google_key]) is None or seen.claims.get("iss") != ISSUER:
        return "unknown", {}
    now = world.clock.now()
    if seen.claims["exp"] <= now:
        return "expired", seen.claims
    if seen.claims["iat"] > now + _FUTURE:
        return "unknown", {}
    return "good", seen.claims
