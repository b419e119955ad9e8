"""Names in a boundary: of a bucket, of a role, of objects by their prefix; checked, and quoted where they go."""

import re

from gbearer.errors import UsageError

RESOURCE = "//storage.googleapis.com/projects/_/buckets/"
ROLE = re.compile(
    r"roles/[A-Za-z0-9_]+\.[A-Za-z0-9_.]+|(?:projects|organizations)/[a-z0-9][a-z0-9.:-]*/roles/[A-Za-z0-9_.]+"
)
"""A predefined role, or a custom one; basic ones (`roles/viewer`) cannot be in a boundary."""
_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_BUCKET = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
ROLES = (
    "admin", "bucketViewer", "folderAdmin", "legacyBucketOwner", "legacyBucketReader", "legacyBucketWriter",
    "legacyObjectOwner", "legacyObjectReader", "objectAdmin", "objectCreator", "objectUser", "objectViewer",
)  # fmt: skip
"""Cloud Storage's roles that may be named without `roles/storage.`."""


def cel(text: str) -> str:
    """`text` as a string literal of the Common Expression Language."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def bucket_problem(name: str) -> tuple[str, str] | None:
    """What is wrong with the name of a bucket, and what to write; None for a good one."""
    plain = name.removeprefix("gs://").partition("/")[0]
    if plain != name and bucket_problem(plain) is None:
        return "it is an address", plain
    if not name:
        return "it is empty", "BUCKET"
    if name != name.lower() and bucket_problem(name.lower()) is None:
        return "names of buckets have no capitals", name.lower()
    longest = 222 if "." in name else 63
    if not 3 <= len(name) <= longest:
        return f"names of buckets have 3 to {longest} characters", "BUCKET"
    if not _BUCKET.fullmatch(name):
        return "names of buckets have letters, digits, - and _, and begin and end with a letter or digit", "BUCKET"
    return None


def full_role(role: str) -> str:
    """A role under its full name, from `objectViewer`, `storage.objectViewer` or the name itself; UsageError else."""
    name = role.removeprefix("inRole:")
    short = name.removeprefix("roles/").removeprefix("storage.")
    if short in ROLES:
        return f"roles/storage.{short}"
    if ROLE.fullmatch(name):
        return name
    from difflib import get_close_matches

    near = get_close_matches(short, ROLES, 1, 0.5)
    raise UsageError(
        f"{role[:120]!r} is no role",
        why="a role is named short, for Cloud Storage's own, or in full: roles/storage.objectViewer, "
        "projects/PROJECT/roles/ROLE",
        fix=f"write --role {near[0]}" if near else f"write --role with one of {', '.join(ROLES)}",
    )


def check_prefix(prefix: str, bucket: str) -> None:
    """UsageError for a prefix that no object can have, or that says something else than it seems to."""
    why, fix = "", ""
    if not prefix:
        why, fix = "an empty one would be the whole bucket", "leave --prefix out for the whole bucket"
    elif prefix.startswith("gs://"):
        rest = prefix.removeprefix("gs://").partition("/")[2] or "PREFIX"
        why, fix = "it is an address", f"write --bucket {bucket} --prefix {rest}"
    elif prefix.startswith("/"):
        why = "names of objects begin without a slash, so none would be found"
        fix = f"write --prefix {prefix.lstrip('/') or 'FOLDER/'}"
    elif prefix.endswith("*"):
        why, fix = "a prefix is no pattern: it is taken letter by letter", f"write --prefix {prefix.rstrip('*')}"
    elif any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in prefix):
        why, fix = "it has a control character", "write --prefix as it stands in the names of the objects"
    elif len(prefix.encode()) > 1024:
        why, fix = "names of objects have 1024 bytes at most", "write a shorter --prefix"
    if why:
        raise UsageError(f"{prefix[:120]!r} is no prefix of objects", why=why, fix=fix)
