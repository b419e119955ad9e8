"""Token to text: raw, header, json, env and curl config; pure functions that quote whatever they are handed."""

from gbearer.errors import BadCredentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Token

FORMATS = ("raw", "header", "json", "env", "curl")


def render(token: "Token", fmt: str, *, now: float) -> str:
    """`token` as text that ends with a newline, in one of FORMATS; `now` is Unix time in seconds.

    raw     the token alone
    header  HTTP header lines (RFC 6750 §2.1), with x-goog-user-project where a quota project applies
    json    one object, as in the reference of the command line
    env     `export` lines for a POSIX shell, with the variables that other programs read
    curl    a curl configuration file (`curl --config`)
    Raises BadCredentials when a value holds a character that could end a header line.
    """
    if fmt == "raw":
        return f"{token.value}\n"
    if fmt == "header":
        return "".join(f"{name}: {value}\n" for name, value in headers(token).items())
    if fmt == "json":
        return as_json(token, now)
    if fmt == "env":
        return as_env(token)
    if fmt == "curl":
        return curl_config(headers(token))
    raise ValueError(f"there is no format {fmt!r}")


def quota_project(token: "Token") -> str | None:
    """The project that is charged; None for ID tokens, which go to services and not to Google's APIs."""
    return None if token.kind == "id" else token.quota_project


def headers(token: "Token") -> dict[str, str]:
    """The headers that place `token` in a request, in a fresh dict."""
    placed = {"Authorization": f"Bearer {token.value}"}
    project = quota_project(token)
    if project:
        placed["x-goog-user-project"] = project
    for name, value in placed.items():
        one_line(name, value)
    return placed


def one_line(name: str, value: str) -> str:
    """`value` when it is printable ASCII and so stays one header line; BadCredentials otherwise."""
    if not value.isascii() or not value.isprintable():
        raise BadCredentials(
            f"the value for {name} has characters that no header may have",
            why="only printable ASCII is sent; it was not used",
            fix="check the credential file and the quota project",
        )
    return value


def as_json(token: "Token", now: float) -> str:
    """One JSON object in one line; what is not known is null."""
    import json

    known = token.expires_at > 0
    fields: dict[str, object] = {
        "id_token" if token.kind == "id" else "access_token": token.value,
        "token_type": "Bearer",
        "kind": token.kind,
        "expires_at": utc(token.expires_at) if known else None,
        "expires_in": max(0, int(token.expires_in(now))) if known else None,
        "principal": token.principal or None,
        "source": token.source or None,
    }
    if token.audience:
        fields["audience"] = token.audience
    else:
        fields["scopes"] = list(token.scopes)
    fields["quota_project"] = quota_project(token)
    return json.dumps(fields) + "\n"


def utc(moment: float) -> str:
    """Unix time in seconds as RFC 3339 in UTC, without fractions."""
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def as_env(token: "Token") -> str:
    """`export` lines: Terraform's and gcloud's variables for an access token, GBEARER_ID_TOKEN for an ID token.

    The token stands in it once: the second variable refers to the first.
    """
    if token.kind == "id":
        return f"export GBEARER_ID_TOKEN={shell_word(token.value)}\n"
    lines = [
        f"export GOOGLE_OAUTH_ACCESS_TOKEN={shell_word(token.value)}",
        'export CLOUDSDK_AUTH_ACCESS_TOKEN="$GOOGLE_OAUTH_ACCESS_TOKEN"',
    ]
    project = quota_project(token)
    if project:
        lines.append(f"export GOOGLE_CLOUD_QUOTA_PROJECT={shell_word(one_line('the quota project', project))}")
    return "\n".join(lines) + "\n"


def shell_word(text: str) -> str:
    """`text` as one word of a POSIX shell, whatever is in it."""
    return "'" + text.replace("'", "'\\''") + "'"


def curl_config(placed: dict[str, str]) -> str:
    """A curl configuration that sends these headers; quoted as curl's manual says under --config."""
    lines = (f"{name}: {one_line(name, value)}" for name, value in placed.items())
    return "".join(f"header = {curl_word(line)}\n" for line in lines)


def curl_word(text: str) -> str:
    """`text` as one quoted value of a curl configuration file."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
