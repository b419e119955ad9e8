"""Token files that AWS hands out (web identity, EKS Pod Identity): read again each time, one line, nothing else."""

from gbearer.errors import BadCredentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.look import Look


def read(path: str, named_by: str, look: "Look") -> str:
    """The token in the file at `path`; BadCredentials, naming `named_by`, when it is missing or not one line."""
    data = look.read(path)
    if data is None:
        raise BadCredentials(
            f"there is no token file {path[:300]}",
            why=f"{named_by} names it; the instance's role is not used in its place",
            fix=f"correct {named_by}; in a pod, check that the token's volume is mounted",
        )
    try:
        token = data.decode("ascii")
    except UnicodeDecodeError:
        raise BadCredentials(
            f"the token file {path[:300]} holds no token",
            why=f"{named_by} names it, and it has characters that no token may have",
            fix=f"correct {named_by}, or have the file written anew",
        ) from None
    if "\n" in token or "\r" in token:
        raise newline(f"{path[:300]} ({named_by})")
    return token


def newline(where: str) -> BadCredentials:
    """The error for a token with a line end in it."""
    return BadCredentials(
        f"the token in {where} has a newline",
        why="it is sent as it is, in a header or a form, and AWS takes no token with a line end",
        fix="write it without one: printf %s TOKEN > FILE, not echo",
    )
