"""The token cache: sealed entries in one folder that only its owner can write; never the reason for a failure."""

import json
import os
import time

from gbearer import errors, log, warm
from gbearer.cache import lock, sweep
from gbearer.cache.key import key
from gbearer.model import Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Cache", "Kept", "key", "open_cache"]


class Kept:
    """A token as it lies in the cache, and when it was last renewed without getting a later end (Unix time, or 0)."""

    __slots__ = ("checked", "token")

    def __init__(self, token: Token, checked: float = 0.0) -> None:
        self.token = token
        self.checked = checked


class Notes:
    """Short texts without secrets that the cache keeps for a while; their names are letters, digits and dashes."""

    def __init__(self, store: "Cache", clock: "Callable[[], float]") -> None:
        self._store = store
        self._clock = clock

    def read(self, name: str) -> str | None:
        """The text that was left under `name`, if its time has not run out."""
        payload = self._store.get(f"n-{name}.note")
        try:
            written, ends, text = (payload or b"").decode().split("\0", 2)
            return text if float(written) <= self._clock() + warm.FUTURE and self._clock() < float(ends) else None
        except ValueError:  # there is none, or a version of another making left it
            return None

    def write(self, name: str, text: str, seconds: float) -> None:
        """Leave `text` under `name` for `seconds`."""
        now = self._clock()
        self._store.put(f"n-{name}.note", f"{now!r}\0{now + seconds!r}\0{text}".encode())


class Cache:
    """One cache folder. Where `folder` is None nothing is read or written, and `problem` says why ("" when off)."""

    def __init__(self, path: str, folder: "int | str | None", problem: str, clock: "Callable[[], float]") -> None:
        self.path = path
        self.folder = folder
        self.problem = problem
        self._clock = clock

    @property
    def notes(self) -> Notes:
        """What else is to be remembered for a while."""
        return Notes(self, self._clock)

    def __del__(self) -> None:
        if isinstance(self.folder, int):
            os.close(self.folder)

    def read(self, key: str) -> Kept | None:
        """The token kept under `key`, expired or not; None where there is none that can be believed."""
        payload = self.get(f"t-{key}")
        if payload is None:
            return None
        try:
            issued, expires, value, kind, principal, source, scopes, audience, checked = payload.decode().split("\0")
            if float(issued) > self._clock() + warm.FUTURE:
                log.debug("a cache entry comes from the future: the clock was set back; it is not used")
                return None
            token = Token(
                value,
                kind,
                float(expires),
                principal,
                source,
                issued_at=float(issued),
                scopes=tuple(scopes.split()),
                audience=audience or None,
            )
            return Kept(token, float(checked))
        except (ValueError, errors.BadCredentials) as error:
            self._doubt(error)
            return None

    def write(self, key: str, token: Token, checked: float = 0.0) -> bool:
        """Keep `token` under `key`, replacing what was there in one step; False, with a warning, where that fails."""
        fields = [repr(token.issued_at), repr(token.expires_at), token.value, token.kind, token.principal, token.source]
        fields += [" ".join(token.scopes), token.audience or "", repr(checked)]
        if any("\0" in field for field in fields):
            return False
        return self.put(f"t-{key}", "\0".join(fields).encode("utf-8", "replace"))

    def drop(self, key: str) -> None:
        """Forget the token kept under `key`; this is all that it takes to make every remembered answer void."""
        if self.folder is not None:
            lock.remove(self.folder, f"t-{key}")

    def remember(self, question: str, entry: bytes) -> None:
        """Keep an answer entry for the warm path."""
        self.put(f"a-{question}", entry)

    def read_failure(self, key: str, since: float) -> errors.Error | None:
        """The error of another process that tried for this key and gave up after `since` (Unix time)."""
        payload = self.get(f"f-{key}")
        if payload is None:
            return None
        try:
            at, name, message, why, fix = json.loads(payload)
            ours = since <= at <= self._clock() + warm.FUTURE
        except (ValueError, TypeError) as error:
            self._doubt(error)
            return None
        return errors.by_name(name)(message, why=why, fix=fix) if ours else None

    def write_failure(self, key: str, error: errors.Error) -> None:
        """Leave `error` for those who wait for the same token."""
        told = [self._clock(), type(error).__name__, *(log.redact(t) for t in (error.message, error.why, error.fix))]
        self.put(f"f-{key}", json.dumps(told).encode())

    def forget_failure(self, key: str) -> None:
        """Take the note of a failure away: it worked."""
        if self.folder is not None:
            lock.remove(self.folder, f"f-{key}")

    def acquire(self, key: str) -> int | None:
        """The lock for minting `key`: a descriptor, None while another process has it, -1 where there are no locks."""
        if self.folder is None:
            return -1
        try:
            return lock.acquire(self.folder, f"l-{key}")
        except OSError as error:
            self._warn(error)
            return -1

    def release(self, key: str, file: int) -> None:
        """Give the lock back."""
        if self.folder is not None and file >= 0:
            lock.release(self.folder, f"l-{key}", file)

    def tidy(self, *, expired: bool = False) -> None:
        """Take away what dead writers left and, with `expired`, what has run out."""
        if self.folder is not None:
            sweep.leftovers(self.folder)
            if expired:
                sweep.expired(self.folder, self._clock())

    def list(self) -> "list[tuple[str, Token]]":
        """Every token kept here, with its key; CacheError where the cache cannot be used."""
        names = sorted(name for name in sweep.names(self._checked()) if name.startswith("t-"))
        kept = ((name[2:], self.read(name[2:])) for name in names)
        return [(name, found.token) for name, found in kept if found is not None]

    def clear(self) -> int:
        """Delete every entry, and say how many tokens there were; CacheError where the cache cannot be used."""
        return sweep.everything(self._checked())

    def _checked(self) -> "int | str":
        if self.folder is None:
            raise errors.CacheError(
                "there is no cache to look into" if not self.problem else f"the cache {self.path} cannot be used",
                why=self.problem or "GBEARER_CACHE is off",
                fix="set GBEARER_CACHE to a folder of your own with mode 0700, or unset it",
            )
        return self.folder

    def get(self, name: str) -> bytes | None:
        """The payload of one entry; None, with a warning, where it cannot be believed."""
        if self.folder is None:
            return None
        try:
            return warm.read(self.folder, name)
        except (OSError, warm.Unsafe, ValueError) as error:
            self._doubt(error)
            return None

    def put(self, name: str, payload: bytes) -> bool:
        """Replace one entry; False, with a warning, where that fails."""
        if self.folder is None or len(payload) > warm.LARGEST - 64:
            return False
        try:
            write(self.folder, name, warm.seal(name, payload))
        except OSError as error:
            self._warn(error)
            return False
        return True

    def _doubt(self, error: Exception) -> None:
        log.warn(f"an entry of the cache {self.path} is not used: {_reason(error)}")

    def _warn(self, error: Exception) -> None:
        log.warn(f"the cache {self.path} cannot be written: {_reason(error)}; the token is not kept")


def open_cache(env: "Mapping[str, str]", clock: "Callable[[], float]" = time.time, *, create: bool = True) -> Cache:
    """The cache that `env` names, made with mode 0700 where there is none; one warning where it is unusable."""
    path = warm.folder_path(env)
    if not path:
        return Cache("", None, "", clock)
    try:
        if create:
            _make(path)
        folder = warm.open_folder(path)
    except (OSError, warm.Unsafe) as error:
        problem = _reason(error)
        if create or not isinstance(error, FileNotFoundError):
            log.warn(f"the cache {path} is not used: {problem}")
        return Cache(path, None, problem, clock)
    return Cache(path, folder, "", clock)


def write(folder: "int | str", name: str, data: bytes) -> None:
    """Replace one entry in one step: a reader sees the old one or the new one, whenever the writer dies."""
    for tries_left in range(9, -1, -1):
        temporary = f"x-{os.getpid()}-{os.urandom(8).hex()}"
        file = warm.open_entry(folder, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0))
        try:
            lock.taken(file)  # for as long as it is open: the sweeper leaves it alone
            if hasattr(os, "fchmod"):
                os.fchmod(file, 0o600)
            sent = 0
            while sent < len(data):
                sent += os.write(file, data[sent:])
            if isinstance(folder, int):
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                os.close(file)
                file = -1
                os.replace(os.path.join(folder, temporary), os.path.join(folder, name))
        except FileNotFoundError:  # swept in the instant before it was locked
            if not tries_left:
                raise
        except BaseException:
            lock.remove(folder, temporary)
            raise
        else:
            return
        finally:
            if file >= 0:
                os.close(file)


def _make(path: str) -> None:
    """Create the folder and those above it that are missing: mode 0700, whatever the umask."""
    if os.path.lexists(path):
        return
    above = os.path.dirname(path.rstrip(os.sep))
    if above:
        _make(above)
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)
    except FileExistsError:
        return


def _reason(error: Exception) -> str:
    if isinstance(error, NotADirectoryError):
        return "it is a link or no folder"
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return str(error) if isinstance(error, warm.Unsafe) else "it is damaged"
