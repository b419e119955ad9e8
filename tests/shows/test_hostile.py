"""A hostile federation file sends nothing anywhere and starts no program, however its addresses are spelled: counted.

Counted by the guard (every lookup and connection of this process) and by a listener on loopback, which most of the
spellings would reach if any parser read them differently. Nothing but the spelling keeps the secrets back: the subject
token lies there, programs are allowed, AWS's keys are in the environment.
"""

import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from aws_servers import Keys, imds
from aws_servers.http import Reply, Request, serve
from gbearer import cli
from gbearer.emulator import Emulator

POOL = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/emulator-pool/providers"
TARGET = "target@emulator-project.iam.gserviceaccount.com"
TYPE = "urn:ietf:params:oauth:token-type:"
STS_PATH, INFO_PATH = "/v1/token", "/v1/introspect"
ACT_PATH = f"/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
AWS_METADATA = "http://169.254.169.254/latest"
WHO = "?Action=GetCallerIdentity&Version=2011-06-15"
ALLOW = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"


class Genuine(NamedTuple):
    """An address that a field may name."""

    scheme: str
    host: str
    path: str


FIELDS = {
    "token_url": Genuine("https", "sts.googleapis.com", STS_PATH),
    "token_info_url": Genuine("https", "sts.googleapis.com", INFO_PATH),
    "service_account_impersonation_url": Genuine("https", "iamcredentials.googleapis.com", ACT_PATH),
    "credential_source.regional_cred_verification_url": Genuine("https", "sts.us-east-2.amazonaws.com", f"/{WHO}"),
    "credential_source.url": Genuine("http", "169.254.169.254", "/latest/meta-data/iam/security-credentials"),
    "credential_source.region_url": Genuine("http", "169.254.169.254", "/latest/meta-data/placement/availability-zone"),
    "credential_source.imdsv2_session_token_url": Genuine("http", "169.254.169.254", "/latest/api/token"),
}
SPELLINGS: dict[str, Callable[[Genuine, int], str]] = {
    "user": lambda g, port: f"{g.scheme}://{g.host}@127.0.0.1:{port}{g.path}",
    "user and password": lambda g, port: f"{g.scheme}://{g.host}:443@127.0.0.1:{port}{g.path}",
    "backslash": lambda g, port: f"{g.scheme}://127.0.0.1:{port}\\@{g.host}{g.path}",
    "other port": lambda g, port: f"{g.scheme}://{g.host}:{port}{g.path}",
    "other scheme": lambda g, _: f"{'http' if g.scheme == 'https' else 'https'}://{g.host}{g.path}",
    "longer at the end": lambda g, _: f"{g.scheme}://{g.host}.evil.example{g.path}",
    "longer in front": lambda g, _: f"{g.scheme}://evil{g.host}{g.path}",
    "dot at the end": lambda g, _: f"{g.scheme}://{g.host}.{g.path}",
    "letters of another script": lambda g, _: f"{g.scheme}://{g.host.replace('a', 'а').replace('1', '１')}{g.path}",
    "punycode": lambda g, _: f"{g.scheme}://xn--{g.host}-9za{g.path}",
    "this machine": lambda g, port: f"{g.scheme}://127.0.0.1:{port}{g.path}",
    "this machine, by name": lambda g, port: f"{g.scheme}://localhost:{port}{g.path}",
    "IPv4 as one number": lambda g, port: f"{g.scheme}://2130706433:{port}{g.path}",
    "IPv4 in hexadecimal": lambda g, port: f"{g.scheme}://0x7f.0.0.1:{port}{g.path}",
    "IPv4 cut short": lambda g, port: f"{g.scheme}://127.1:{port}{g.path}",
    "IPv4 in IPv6": lambda g, port: f"{g.scheme}://[::ffff:127.0.0.1]:{port}{g.path}",
    "upper case": lambda g, port: f"{g.scheme.upper()}://{g.host.upper()}@127.0.0.1:{port}{g.path}",
    "fragment": lambda g, port: f"{g.scheme}://127.0.0.1:{port}#@{g.host}{g.path}",
    "query": lambda g, port: f"{g.scheme}://127.0.0.1:{port}?@{g.host}{g.path}",
    "path": lambda g, port: f"{g.scheme}://127.0.0.1:{port}/{g.host}{g.path}",
    "encoded dots": lambda g, _: f"{g.scheme}://{g.host.replace('.', '%2e')}{g.path}",
    "encoded slash": lambda g, port: f"{g.scheme}://{g.host}%2f@127.0.0.1:{port}{g.path}",
    "tab": lambda g, port: f"{g.scheme}://127.0.0.1:{port}\t@{g.host}{g.path}",
    "second line": lambda g, port: f"{g.scheme}://{g.host}{g.path}\r\nHost: 127.0.0.1:{port}",
    "no scheme": lambda g, port: f"//127.0.0.1:{port}{g.path}",
    "another scheme": lambda g, port: f"ftp://127.0.0.1:{port}{g.path}",
    "file": lambda g, _: f"file://{g.host}{g.path}",
}
SUBJECT_SPELLINGS: dict[str, Callable[[int], str]] = {
    "elsewhere": lambda _: "http://evil.example/token",
    "upper case": lambda _: "HTTP://EVIL.EXAMPLE/token",
    "private address": lambda _: "http://10.0.0.1/token",
    "user": lambda port: f"http://localhost@127.0.0.1:{port}/token",
    "user elsewhere": lambda _: "http://127.0.0.1@evil.example/token",
    "user, encrypted": lambda port: f"https://anybody:secret@127.0.0.1:{port}/token",
    "backslash": lambda port: f"http://127.0.0.1:{port}\\@evil.example/token",
    "fragment": lambda _: "http://evil.example#@127.0.0.1/token",
    "longer at the end": lambda _: "http://127.0.0.1.evil.example/token",
    "link-local, longer": lambda _: "http://169.254.169.254.evil.example/token",
    "dot at the end": lambda port: f"http://localhost.:{port}/token",
    "letters of another script": lambda port: f"http://lоcalhost:{port}/token",
    "IPv4 as one number": lambda port: f"http://2130706433:{port}/token",
    "IPv4 in hexadecimal": lambda port: f"http://0x7f000001:{port}/token",
    "IPv4 in octal": lambda port: f"http://0177.0.0.1:{port}/token",
    "IPv4 cut short": lambda port: f"http://127.1:{port}/token",
    "any address": lambda port: f"http://0.0.0.0:{port}/token",
    "IPv4 in IPv6": lambda port: f"http://[::ffff:127.0.0.1]:{port}/token",
    "encoded": lambda port: f"http://127.0.0.1%2f:{port}/token",
    "second line": lambda port: f"http://127.0.0.1:{port}/token\r\nX: y",
    "file": lambda _: "file:///etc/hostname",
    "another scheme": lambda port: f"ftp://127.0.0.1:{port}/token",
}


class Listener:
    """A port on loopback, both families of addresses where there are two, that counts who connects."""

    def __init__(self) -> None:
        self.connections = 0
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._sockets[0].getsockname()[1]
        try:
            self._sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        except OSError:
            pass  # a machine without IPv6
        self._threads = [threading.Thread(target=self._accept, args=(each,), daemon=True) for each in self._sockets]
        for thread in self._threads:
            thread.start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Where a file would send its secrets."""
    made = Listener()
    yield made
    made.close()


def aws_keys(em: Emulator) -> dict[str, str]:
    """The emulator's own AWS identity, as variables."""
    lines = (em.dir / "aws.sh").read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))


class Trap:
    """A home with everything that a hostile file could want, the file itself, and what would show that it got it."""

    def __init__(self, home: Path, em: Emulator, listener: Listener, traffic: Callable[[], list[str]]) -> None:
        self.home, self.em, self.listener, self.traffic = home, em, listener, traffic
        self.ran = home / "ran"
        self.program = home / "program"
        self.program.write_text(f"#!/bin/sh\ntouch {self.ran}\ncat {em.dir}/subject/executable.json\n")
        self.program.chmod(0o700)
        self.env = {
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "GBEARER_CACHE": str(home / "cache"),
            "NO_GCE_CHECK": "true",
            ALLOW: "1",
            **aws_keys(em),
        }
        self.sources: dict[str, tuple[str, str, dict[str, object]]] = {
            "file": ("oidc", f"{TYPE}jwt", {"file": str(em.dir / "subject" / "oidc.jwt")}),
            "url": ("oidc", f"{TYPE}jwt", {"url": f"http://127.0.0.1:{listener.port}/token"}),
            "executable": ("oidc", f"{TYPE}jwt", {"executable": {"command": str(self.program)}}),
            "x509": (
                "x509",
                f"{TYPE}mtls",
                {"certificate": {"certificate_config_location": str(em.dir / "x509" / "certificate_config.json")}},
            ),
            "aws": (
                "aws",
                "urn:ietf:params:aws:token-type:aws4_request",
                {
                    "environment_id": "aws1",
                    "region_url": f"{AWS_METADATA}/meta-data/placement/availability-zone",
                    "url": f"{AWS_METADATA}/meta-data/iam/security-credentials",
                    "regional_cred_verification_url": f"https://sts.{{region}}.amazonaws.com{WHO}",
                    "imdsv2_session_token_url": f"{AWS_METADATA}/api/token",
                },
            ),
        }

    def file(self, kind: str, field: str = "", url: str = "") -> str:
        """A federation file, as it should be but for `field`."""
        provider, token_type, source = self.sources[kind]
        name, _, inner = field.rpartition(".")
        document: dict[str, object] = {
            "universe_domain": "googleapis.com",
            "type": "external_account",
            "audience": f"{POOL}/{provider}",
            "subject_token_type": token_type,
            "token_url": f"https://sts.googleapis.com{STS_PATH}",
            "service_account_impersonation_url": f"https://iamcredentials.googleapis.com{ACT_PATH}",
            "credential_source": source | ({inner: url} if name else {}),
        }
        path = self.home / "hostile.json"
        path.write_text(json.dumps(document | ({field: url} if field and not name else {})))
        return str(path)

    def run(self, *argv: str, **variables: str) -> tuple[int, str, str]:
        """Run a command line in this process."""
        given, out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(3))
        code = cli.main(list(argv), stdin=given, stdout=out, stderr=err, env=self.env | variables)
        texts = []
        for stream in (out, err):
            stream.flush()
            assert isinstance(stream.buffer, io.BytesIO)
            texts.append(stream.buffer.getvalue().decode())
        return code, texts[0], texts[1]

    def refuses(self, file: str, field: str, *options: str) -> None:
        """Commands refuse the file with 4, naming the field; nothing is printed, sent or started."""
        emulated = {"GBEARER_EMULATOR_HOST": self.em.host}
        given = ("--credentials", file, *options)
        for command, more in (
            (("token", *given), {}),
            (("token", *given), emulated),
            (("id-token", "--audience", "https://x.run.app", *given), {}),
            (("whoami", *given), {}),
            (("preflight", file, *options), {}),
        ):
            code, out, err = self.run(*command, **more)
            assert code == 4, (command, err)
            assert not out or command[0] in ("whoami", "preflight")
            assert field in err, (command, err)
            assert all(line.isprintable() for line in err.split("\n"))
        assert self.untouched()

    def untouched(self) -> bool:
        """Whether nothing was looked up or dialled, nobody came, and no program ran."""
        assert self.traffic() == []
        assert self.listener.connections == 0
        assert self.em.log() == []
        assert not self.ran.exists()
        return True


@pytest.fixture
def trap(own_environment: Path, em: Emulator, listener: Listener, traffic: Callable[[], list[str]]) -> Trap:
    """All that a hostile file needs but a chance."""
    return Trap(own_environment, em, listener, traffic)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("field", FIELDS)
def test_an_address_elsewhere_is_refused_and_nothing_is_sent(trap: Trap, field: str, spelling: str) -> None:
    url = SPELLINGS[spelling](FIELDS[field], trap.listener.port)
    for kind in ("aws",) if field.startswith("credential_source.") else trap.sources:
        trap.refuses(trap.file(kind, field, url), field)


@pytest.mark.parametrize("spelling", SUBJECT_SPELLINGS)
def test_a_subject_token_is_not_fetched_in_the_clear_from_elsewhere(trap: Trap, spelling: str) -> None:
    url = SUBJECT_SPELLINGS[spelling](trap.listener.port)
    trap.refuses(trap.file("url", "credential_source.url", url), "credential_source.url")


@pytest.mark.parametrize("value", ["", "0", "true", "yes", "1 "])
@pytest.mark.parametrize("options", [(), ("--trust-config",)], ids=["", "on trust"])
def test_no_program_is_started_without_leave(trap: Trap, value: str, options: tuple[str, ...]) -> None:
    """Trust in the file's addresses is no leave to run its program."""
    file = trap.file("executable")
    for command in ("token", "header", "whoami"):
        code, out, err = trap.run(command, "--credentials", file, *options, **{ALLOW: value})
        assert code == 5
        assert command == "whoami" or not out
        assert f"export {ALLOW}=1" in err
    assert trap.untouched()


def test_the_same_file_with_its_addresses_right_is_taken(trap: Trap) -> None:
    """What is refused above is refused for the spelling alone: each file works when nothing in it is hostile."""
    for kind in trap.sources:
        if kind != "url":  # its listener answers nothing
            code, out, err = trap.run("token", "--credentials", trap.file(kind), GBEARER_EMULATOR_HOST=trap.em.host)
            assert (code, err) == (0, ""), err
            assert out.startswith("ya29.")
    assert trap.ran.exists()


ON_TRUST = ("token_url", "token_info_url", "service_account_impersonation_url")
TWO_READINGS = (
    "user", "user and password", "backslash", "dot at the end", "letters of another script",
    "upper case", "encoded dots", "encoded slash", "tab", "second line", "no scheme", "another scheme", "file",
)  # fmt: skip


@pytest.mark.parametrize("spelling", TWO_READINGS)
@pytest.mark.parametrize("field", FIELDS)
def test_trust_does_not_make_an_address_of_what_two_parsers_read_differently(
    trap: Trap, field: str, spelling: str
) -> None:
    url = SPELLINGS[spelling](FIELDS[field], trap.listener.port)
    trap.refuses(trap.file("aws", field, url), field, "--trust-config")


@pytest.mark.parametrize("field", ON_TRUST)
def test_trust_does_not_take_a_secret_over_clear_text(trap: Trap, field: str) -> None:
    url = f"http://{FIELDS[field].host}{FIELDS[field].path}"
    trap.refuses(trap.file("file", field, url), field, "--trust-config")


def test_trust_signs_no_other_request_of_awss(trap: Trap) -> None:
    field = "credential_source.regional_cred_verification_url"
    for asked in ("?Action=AssumeRole&RoleArn=x", "?Action=GetCallerIdentity&Action=GetSessionToken", "iam/?x"):
        url = f"https://sts.us-east-2.amazonaws.com/{asked}"
        trap.refuses(trap.file("aws", field, url), field, "--trust-config")


def _sts(request: Request) -> Reply:
    del request
    kind = f"{TYPE}access_token"
    return Reply(
        200, {"access_token": "ya29.theirs", "issued_token_type": kind, "token_type": "Bearer", "expires_in": 3600}
    )


def test_on_trust_the_token_url_of_the_file_is_asked_and_nobody_else(trap: Trap) -> None:
    with serve() as theirs:
        theirs.handle = _sts
        file = json.loads(Path(trap.file("file", "token_url", f"{theirs.url}{STS_PATH}")).read_text())
        del file["service_account_impersonation_url"]
        path = trap.home / "theirs.json"
        path.write_text(json.dumps(file))
        code, out, err = trap.run("token", "--credentials", str(path), "--trust-config")
        assert (code, out, err) == (0, "ya29.theirs\n", "")
        assert theirs.paths() == [f"POST {STS_PATH}"]
    assert {line for line in trap.traffic() if "127.0.0.1" in line} == set(trap.traffic()) != set()


def test_on_trust_an_impersonation_url_names_the_account_and_is_not_dialled(trap: Trap) -> None:
    """As in google-auth's impersonated credentials: the request goes to IAM Credentials, whatever host was trusted."""
    url = f"http://127.0.0.1:{trap.listener.port}{ACT_PATH}"
    file = trap.file("file", "service_account_impersonation_url", url)
    code, out, err = trap.run("token", "--credentials", file, "--trust-config", GBEARER_EMULATOR_HOST=trap.em.host)
    assert (code, err) == (0, "")
    assert out.startswith("ya29.")
    assert [entry["host"] for entry in trap.em.log()] == ["sts.googleapis.com", "iamcredentials.googleapis.com"]
    assert trap.listener.connections == 0


def test_on_trust_the_metadata_service_of_the_file_is_asked(trap: Trap) -> None:
    key, secret, token = (
        trap.env.pop(f"AWS_{name}") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
    )
    keys = Keys(key, secret, token, arn="")
    with imds(keys) as node:
        for name in ("url", "region_url", "imdsv2_session_token_url"):
            text = str(trap.sources["aws"][2][name])
            trap.sources["aws"][2][name] = text.replace("http://169.254.169.254", node.url)
        file = trap.file("aws")
        code, _, err = trap.run("token", "--credentials", file, GBEARER_EMULATOR_HOST=trap.em.host)
        assert code == 4
        assert "credential_source.url" in err
        assert node.requests == []
        code, out, err = trap.run("token", "--credentials", file, "--trust-config", GBEARER_EMULATOR_HOST=trap.em.host)
        assert (code, err) == (0, "")
        assert out.startswith("ya29.")
        assert node.paths()[0] == "PUT /latest/api/token"


def test_on_trust_a_subject_token_is_fetched_in_the_clear(trap: Trap) -> None:
    """From a name that never resolves (RFC 6761), so that the lookup is what shows it."""
    file = trap.file("url", "credential_source.url", "http://subject.invalid/token")
    code, out, err = trap.run("token", "--credentials", file, "--trust-config")
    assert (code, out) == (7, "")
    assert "subject.invalid" in err
    assert {line for line in trap.traffic() if "subject.invalid" in line} == set(trap.traffic()) != set()


WORKFORCE = {
    "token_url": Genuine("https", "sts.googleapis.com", "/v1/oauthtoken"),
    "token_info_url": Genuine("https", "sts.googleapis.com", INFO_PATH),
    "revoke_url": Genuine("https", "sts.googleapis.com", "/v1/revoke"),
}


def login_file(trap: Trap, refresh_token: str = "made-up", **fields: str) -> str:
    """The login of a person of a workforce pool, as it should be but for `fields`."""
    document = {"type": "external_account_authorized_user", "refresh_token": refresh_token}
    document |= {"client_id": "client", "client_secret": "secret"}
    document |= {name: f"{g.scheme}://{g.host}{g.path}" for name, g in WORKFORCE.items()}
    path = trap.home / "login.json"
    path.write_text(json.dumps(document | fields))
    return str(path)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("field", WORKFORCE)
def test_a_workforce_login_sends_its_refresh_token_nowhere_else(trap: Trap, field: str, spelling: str) -> None:
    url = SPELLINGS[spelling](WORKFORCE[field], trap.listener.port)
    for marked, env in (("made-up", {}), ("emulator-made-up", {"GBEARER_EMULATOR_HOST": trap.em.host})):
        file = login_file(trap, marked, **{field: url})
        for command in (("token",), ("whoami",), ("id-token", "--audience", "https://x.run.app")):
            code, out, err = trap.run(*command, "--credentials", file, **env)
            assert code == 4, (command, err)
            assert not out
            assert field in err
            assert "made-up" not in err.replace(url, "")
    assert trap.untouched()


UNIVERSES = (
    "evil.example", "googleapis.com.evil.example", "xn--googleapis-9za.com", "127.0.0.1", "googleapis-com.example",
    "emulator-evil.example",
)  # fmt: skip


@pytest.mark.parametrize("universe", UNIVERSES)
def test_a_file_does_not_choose_the_universe_that_secrets_go_to(trap: Trap, universe: str) -> None:
    """All of its hosts are of that universe and none of Google's: only the user's word is missing."""
    refused = f"universe_domain in {trap.home}"
    there = {"universe_domain": universe, "token_url": f"https://sts.{universe}/v1/token"}
    for kind in trap.sources:
        file = Path(trap.file(kind))
        document = json.loads(file.read_text()) | there
        document["service_account_impersonation_url"] = f"https://iamcredentials.{universe}{ACT_PATH}"
        file.write_text(json.dumps(document))
        for command in ("token", "whoami", "preflight"):
            argv = (command, str(file)) if command == "preflight" else (command, "--credentials", str(file))
            code, out, err = trap.run(*argv)
            assert (code, command == "preflight" or not out) == (4, True), err
            assert refused in err
    urls = {name: f"https://sts.{universe}{genuine.path}" for name, genuine in WORKFORCE.items()}
    code, _, err = trap.run("token", "--credentials", login_file(trap, universe_domain=universe, **urls))
    assert code == 4
    assert refused in err
    key = trap.home / "key.json"
    key.write_text(json.dumps(json.loads(trap.em.key_file.read_text()) | {"universe_domain": universe}
                              | {"token_uri": f"https://oauth2.{universe}/token"}))  # fmt: skip
    for spoken in (("token", "--impersonate", TARGET), ("id-token", "--audience", "https://x.run.app")):
        code, out, err = trap.run(*spoken, "--credentials", str(key))
        assert (code, out) == (4, ""), err
        assert refused in err
    code, out, err = trap.run("token", "--credentials", str(key))  # signed here, sent nowhere
    assert code == 0, err
    assert trap.untouched()


def test_with_an_emulator_no_universe_is_reached_but_its_own(trap: Trap) -> None:
    """Not even one that the user trusts the file for: every host of it would be a real one."""
    emulated = {"GBEARER_EMULATOR_HOST": trap.em.host}
    urls = {name: f"https://sts.evil.example{genuine.path}" for name, genuine in WORKFORCE.items()}
    file = login_file(trap, "emulator-made-up", universe_domain="evil.example", **urls)
    code, out, err = trap.run("token", "--credentials", file, "--trust-config", **emulated)
    assert (code, out) == (4, "")
    assert "of the real universe evil.example" in err
    assert trap.untouched()
