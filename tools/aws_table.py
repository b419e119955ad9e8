"""Runs every AWS source against a local AWS and a local Google, and keeps the table of it in docs/reference/aws.md.

Each row is one source with the same file: an access token, one of a service account, an ID token; each counts only
if the emulator's targets accept it. Beside it stands what google-auth alone makes of that file. `--check` compares.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/reference/aws.md"
ALONE = Path(__file__).parent / "google_auth_alone.py"
BEGIN, END = "<!-- made by `make aws-table` -->\n", "<!-- end of what is made -->\n"
sys.path[:0] = [str(ROOT / "tests")]

import urllib3  # noqa: E402

from aws_servers import Account, Sts, account, sts  # noqa: E402
from aws_servers.scenes import SCENES, Scene, scene  # noqa: E402
from gbearer import emulator, exchange  # noqa: E402
from gbearer import sources as locating  # noqa: E402
from gbearer.broker import Broker  # noqa: E402
from gbearer.emulator import Emulator  # noqa: E402
from gbearer.errors import Error  # noqa: E402
from gbearer.model import Ask, Token  # noqa: E402
from gbearer.sources import Look  # noqa: E402
from sources.aws.hands import elsewhere  # noqa: E402

KINDS = ("access", "acting", "id")
ALONE_KINDS = (*KINDS, "alone")
TARGET = "target@emulator-project.iam.gserviceaccount.com"
APIS = ("sts", "iamcredentials", "cloudresourcemanager")
RELATIVE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
VOUCHED = "any of them, by GetWebIdentityToken"
_POOL = urllib3.PoolManager(retries=False, timeout=15)


class Made(NamedTuple):
    """What one tool made of one source: for each kind "" or why not, and the ARN that Google was shown."""

    wrong: dict[str, str]
    arn: str


class Row(NamedTuple):
    """One source: what it is, how gbearer calls it, and what both tools made of it."""

    name: str
    chosen: str
    ours: Made
    alone: Made


class Place:
    """One source's surroundings: a Google, an AWS, a home, the variables, and the two files that both tools read."""

    def __init__(self, em: Emulator, aws: Sts, home: Path, here: Scene, *, jwt: bool = False) -> None:
        self.em = em
        self.here = here
        self.aws = aws if jwt else None
        self.audience = f"{em.url}/functions/hello"
        self.env = {
            "GBEARER_EMULATOR_HOST": em.host,
            "GBEARER_CACHE": str(home / "cache"),
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            **here.env,
        }
        self.provider = _vouching(em, aws) if jwt else ""
        self.direct = self._file("external-aws.json", home)
        self.acting = self._file("external-aws-impersonated.json", home)

    def _file(self, name: str, home: Path) -> Path:
        """What gcloud writes with --aws --enable-imdsv2 (the emulator's is without the second)."""
        document = json.loads((self.em.dir / name).read_text())
        document["credential_source"]["imdsv2_session_token_url"] = "http://169.254.169.254/latest/api/token"
        if self.provider:
            document["audience"] = self.provider
        path = home / name
        path.write_text(json.dumps(document, indent=2))
        return path

    def _begin(self) -> None:
        """An empty log; what is beyond the emulator's own pools goes with it."""
        self.em.reset()
        if self.aws:
            _vouching(self.em, self.aws)

    def ours(self) -> Made:
        """What gbearer makes of it."""
        self._begin()
        wrong = {}
        for kind in KINDS:
            try:
                token = self._token(kind)
                wrong[kind] = self._refused(token.value, kind)
            except Error as error:
                wrong[kind] = error.message
        return Made(wrong, self._arn())

    def _token(self, kind: str) -> Token:
        ask = Ask(
            "id" if kind == "id" else "access",
            credentials=str(self.direct if kind == "access" else self.acting),
            audience=self.audience if kind == "id" else None,
            aws_token="jwt" if self.aws else None,
        )
        if RELATIVE not in self.env:
            return Broker(self.env).get(ask)
        # The agent of ECS is always at 169.254.170.2: there the transport is led to the stand-in instead.
        assert self.here.endpoint is not None
        way = elsewhere(self.env, self.here.endpoint.url)
        source = locating.locate(ask, Look(self.env), way)
        full = ask.replace(impersonate=source.impersonate)
        base = exchange.needs_base(full)
        below = exchange.token(base, source, way, None, time.time) if base else None
        return exchange.token(full, source, way, below, time.time)

    def alone(self) -> Made:
        """What google-auth makes of it, in a process of its own with the same variables."""
        self._begin()
        hosts = dict.fromkeys((f"{name}.googleapis.com" for name in APIS), self.em.url)
        hosts["169.254.169.254"] = self.here.node.url
        argv = [sys.executable, str(ALONE), json.dumps(hosts), str(self.direct), str(self.acting), self.audience]
        passed = {name: os.environ[name] for name in ("PYTHONPATH", "GBEARER_TEST_TRAFFIC") if name in os.environ}
        done = subprocess.run(argv, env=self.env | passed, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise SystemExit(f"error: {ALONE.name}: {done.stderr[-2000:]}")
        told = json.loads(done.stdout)
        wrong = {
            kind: _short(told[kind]["error"]) if "error" in told[kind] else self._refused(told[kind]["token"], kind)
            for kind in ALONE_KINDS
        }
        return Made(wrong, self._arn())

    def _refused(self, token: str, kind: str) -> str:
        """Why the emulator's targets do not take a token; "" when they do."""
        url = self.audience if kind == "id" else f"{self.em.url}/v1/protected"
        answer = _POOL.request("GET", url, headers={"Authorization": f"Bearer {token}"})
        return "" if answer.status == 200 else f"the target answered {answer.status}"

    def _arn(self) -> str:
        """Whom Google took the caller for, in every exchange alike."""
        seen = {
            str(entry["principal"]).partition("/subject/")[2]
            for entry in self.em.log()
            if entry["path"] == "/v1/token" and entry["status"] == 200
        }
        return " and ".join(sorted(seen))


def _vouching(em: Emulator, aws: Sts) -> str:
    """The audience of a provider that trusts this AWS account's own issuer."""
    document = {
        "oidc": {"issuerUri": aws.vouches.url, "jwksJson": json.dumps(aws.vouches.jwks())},
        "attributeMapping": {"google.subject": "assertion.sub"},
    }
    return em.provider("aws-vouches", document)


def _short(text: str) -> str:
    """The first words of a foreign message, the same on every run."""
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", " ".join(text.split()))[:110].rstrip(" .:,")


@contextmanager
def _world() -> Iterator[tuple[Emulator, Account, Path]]:
    with (
        tempfile.TemporaryDirectory(prefix="gbearer-aws-") as folder,
        account() as made,
        emulator.running(dir=Path(folder) / "google", aws=made.url) as em,
    ):
        yield em, made, Path(folder)


def rows() -> list[Row]:
    """A fresh run of everything."""
    found = []
    with _world() as (em, made, folder):
        for number, name in enumerate([*SCENES, VOUCHED]):
            home = folder / str(number)
            home.mkdir()
            with sts(made) as aws, scene("EKS, IRSA web identity" if name == VOUCHED else name, aws, home) as here:
                place = Place(em, aws, home, here, jwt=name == VOUCHED)
                ours, alone = place.ours(), place.alone()
                look = Look(place.env)
                locating.locate(Ask(credentials=str(place.direct)), look, elsewhere(place.env, ""))
                chosen = next(step.reason for step in look.steps if step.place == "AWS" and step.found)
                found.append(Row(name, chosen, ours, alone))
    return found


def table(found: list[Row]) -> str:
    """The rows as Markdown, one table a tool; what went wrong stands below, numbered."""
    notes: list[str] = []

    def cell(text: str, yes: str) -> str:
        if text and text not in notes:
            notes.append(text)
        return f"no ({notes.index(text) + 1})" if text else yes

    lines = [
        "| AWS source | what gbearer calls it | access token | of a service account | ID token | whom Google sees |",
        "|---|---|---|---|---|---|",
    ]
    for row in found:
        told = " | ".join(cell(row.ours.wrong[kind], "yes") for kind in KINDS)
        lines.append(f"| {row.name} | {row.chosen} | {told} | `{row.ours.arn}` |")
    lines += [
        "",
        f"By google-auth {metadata.version('google-auth')} alone:",
        "",
        "| AWS source | access token | of a service account | ID token | access token, without an instance's role |",
        "|---|---|---|---|---|",
    ]
    for row in found:
        yes = "yes" if row.alone.arn == row.ours.arn else "**as the node**"
        told = " | ".join(cell(row.alone.wrong[kind], yes) for kind in ALONE_KINDS)
        lines.append(f"| {row.name} | {told} |")
    lines += [""] + [f"{number}. `{text}`" for number, text in enumerate(notes, 1)]
    return "\n".join(lines) + "\n"


def _versionless(text: str) -> str:
    return re.sub(r"google-auth [0-9.]+", "google-auth", text)


def main() -> int:
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "GBEARER_E", "CLOUDSDK_"))]:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    fresh = table(rows())
    before, _, rest = PAGE.read_text().partition(BEGIN)
    committed, _, after = rest.partition(END)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(before + BEGIN + fresh + END + after)
        return 0
    if _versionless(committed) == _versionless(fresh):
        return 0
    import difflib

    lines = difflib.unified_diff(committed.splitlines(), fresh.splitlines(), "committed", "fresh", lineterm="", n=0)
    print("\n".join(lines))
    return 1


if __name__ == "__main__":
    sys.exit(main())
