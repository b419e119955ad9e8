"""Forgetting a login on this machine: its file, its entry in the keyring, and the tokens that were cached from it."""

from gbearer import cache, log
from gbearer.sources import keychain, logins
from gbearer.sources.login import entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.sources.logins import Info


def tokens(file: str, env: "Mapping[str, str]") -> int:
    """Drop every cached token that came of the login in `file`, impersonated ones too; returns how many.

    A token in the cache names the file of its credential (`Token.source`). Answers that rest on it are void with it.
    """
    store = cache.open_cache(env, create=False)
    if store.folder is None:
        return 0
    ours = [key for key, token in store.list() if token.source == file or token.source.startswith(f"{file}, ")]
    for key in ours:
        store.drop(key)
    return len(ours)


def secret(account: str, info: "Info") -> None:
    """Take a login's refresh token out of the keyring, if it is there; a warning where that fails."""
    noted = logins.mark(info)
    if noted.get("keyring") is not True:
        return
    try:
        keychain.remove(entry(account, str(noted.get("id"))))
    except keychain.Unusable as error:
        log.warn(f"the refresh token of {account} stays in the keyring, which cannot be used: {error}")
