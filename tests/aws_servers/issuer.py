"""An OIDC issuer: signs tokens with a key of its own, and says with its JWKS who may check them."""

import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm


class Issuer:
    """A cluster of Kubernetes, say, or an AWS account that vouches for its roles."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, subject: str, audience: str, *, lifetime: float = 3600, **claims: object) -> str:
        """A signed token of `subject` for `audience`, which ends after `lifetime` seconds."""
        now = int(time.time())
        told = {"iss": self.url, "sub": subject, "aud": audience, "iat": now, "exp": now + int(lifetime), **claims}
        return jwt.encode(told, self._key, "RS256", headers={"kid": "issuer-1"})

    def jwks(self) -> dict[str, object]:
        """The public half (RFC 7517)."""
        key = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [key | {"kid": "issuer-1", "alg": "RS256", "use": "sig"}]}

    def claims(self, token: str, audience: str) -> dict[str, object]:
        """What a token of ours says; raises jwt.InvalidTokenError for any other."""
        told: dict[str, object] = jwt.decode(token, self._key.public_key(), ["RS256"], audience=audience)
        return told
