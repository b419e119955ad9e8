"""The name of a token in the cache: a digest of what was asked, who answers for it, and where it counts."""

from _blake2 import blake2b

from gbearer import endpoints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.model import Ask


def key(ask: "Ask", fingerprint: str, env: "Mapping[str, str]", *, universe: str, metadata: bool) -> str:
    """64 hex digits; two questions that may get different tokens never share them."""
    here = endpoints.emulator(env)
    parts = [
        ask.canonical(),
        fingerprint,
        here.origin if here is not None else "google",
        universe,
        endpoints.metadata(env).origin if metadata else "",
    ]
    return blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()
