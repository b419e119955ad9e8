"""A token held down to a bucket and a prefix opens that and nothing else, whatever credential is beneath it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import urllib3

from gbearer import boundary
from gbearer.emulator import Emulator
from shows.conftest import GBEARER, Run
from shows.test_right_at_once import is_warm

BUCKET, OTHER = "emulator-bucket", "emulator-other"
HELD_DOWN = ("--bucket", BUCKET, "--prefix", "customer-a/", "--role", "objectViewer")
TARGET = "target@emulator-project.iam.gserviceaccount.com"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
_POOL = urllib3.PoolManager(retries=False, timeout=15)


class Storage:
    """Cloud Storage's JSON API at the emulator, asked as its client libraries ask it, with one token."""

    def __init__(self, em: Emulator, token: str) -> None:
        self._url = em.url
        self._headers = {"Authorization": f"Bearer {token}"}

    def send(self, method: str, path: str, body: bytes | None = None, /, **query: str) -> tuple[int, Any]:
        answer = _POOL.request(method, f"{self._url}{path}?{urlencode(query)}", body=body, headers=self._headers)
        return answer.status, answer.data

    def get(self, bucket: str, name: str) -> int:
        path = f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        about, whole = self.send("GET", path)[0], self.send("GET", f"/download{path}", alt="media")[0]
        assert about == whole
        return about

    def put(self, bucket: str, name: str) -> int:
        return self.send("POST", f"/upload/storage/v1/b/{bucket}/o", b"x", uploadType="media", name=name)[0]

    def delete(self, bucket: str, name: str) -> int:
        return self.send("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}")[0]

    def list(self, bucket: str, **query: str) -> tuple[int, list[str]]:
        status, data = self.send(
            "GET", f"/storage/v1/b/{bucket}/o", None, projection="noAcl", prettyPrint="false", **query
        )
        said = json.loads(data) if status == 200 else {}
        return status, [item["name"] for item in said.get("items", [])] + said.get("prefixes", [])


def opens_the_prefix_and_nothing_else(em: Emulator, token: str) -> None:
    """Every door of the storage target is tried: those that the boundary leaves open are, and no other."""
    storage = Storage(em, token)
    assert storage.get(BUCKET, "customer-a/invoice.txt") == 200
    assert storage.get(BUCKET, "customer-a/2026/report.csv") == 200
    assert storage.get(BUCKET, "customer-a/missing.txt") == 404
    for name in ("customer-ab/note.txt", "customer-b/invoice.txt", "public/hello.txt", "top.txt", "missing.txt"):
        assert storage.get(BUCKET, name) == 403, name
    assert storage.get(OTHER, "customer-a/invoice.txt") == 403
    assert storage.put(BUCKET, "customer-a/new.txt") == 403
    assert storage.put(BUCKET, "customer-a/invoice.txt") == 403
    assert storage.delete(BUCKET, "customer-a/invoice.txt") == 403
    inside = ["customer-a/2026/report.csv", "customer-a/invoice.txt"]
    assert storage.list(BUCKET, prefix="customer-a/") == (200, inside)
    assert storage.list(BUCKET, prefix="customer-a/2026/") == (200, inside[:1])
    assert storage.list(BUCKET, prefix="customer-a/", delimiter="/") == (200, [inside[1], "customer-a/2026/"])
    for query in ({}, {"prefix": ""}, {"prefix": "customer-a"}, {"prefix": "customer-b/"}, {"delimiter": "/"}):
        assert storage.list(BUCKET, **query)[0] == 403, query
    assert storage.list(OTHER, prefix="customer-a/")[0] == 403
    assert storage.send("GET", f"/storage/v1/b/{BUCKET}")[0] == 403
    assert storage.send("GET", "/storage/v1/b", project="emulator-project")[0] == 403
    assert storage.send("GET", "/v1/protected", scope=CLOUD)[0] in (401, 403), "only Cloud Storage knows boundaries"


def token(run: Run, *args: str, **more: object) -> str:
    done = run("token", *args, **more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_without_a_boundary_all_doors_are_open(run: Run, em: Emulator) -> None:
    storage = Storage(em, token(run))
    assert {storage.get(BUCKET, "top.txt"), storage.get(OTHER, "backup/state.json"), storage.list(OTHER)[0]} == {200}
    assert storage.put(BUCKET, "scratch.txt") == 200
    assert storage.delete(BUCKET, "scratch.txt") == 204


CREDENTIALS: list[tuple[str, tuple[str, ...]]] = [
    ("key.json", ()),
    ("key.json", ("--impersonate", TARGET, "--lifetime", "15m")),
    ("user.json", ()),
    ("user.json", ("--impersonate", TARGET)),
    ("impersonated.json", ()),
    ("external-file.json", ()),
    ("workforce-user.json", ()),
]


@pytest.mark.parametrize("how", ["options", "file"])
@pytest.mark.parametrize(
    ("file", "options"), CREDENTIALS, ids=lambda one: one if isinstance(one, str) else " ".join(one)
)
def test_bucket_and_prefix(
    run: Run, em: Emulator, tmp_path: Path, how: str, file: str, options: tuple[str, ...]
) -> None:
    held_down: tuple[str, ...] = HELD_DOWN
    if how == "file":
        written = json.loads(boundary.for_bucket(BUCKET, "customer-a/", "objectViewer"))
        (tmp_path / "b.json").write_text(json.dumps(written["accessBoundary"], indent=2))
        held_down = ("--boundary", str(tmp_path / "b.json"))
    given = ("--credentials", str(em.dir / file), *options, *held_down)
    opens_the_prefix_and_nothing_else(em, token(run, *given, cwd=em.dir))


def test_a_role_that_writes_writes_below_the_prefix_and_nowhere_else(run: Run, em: Emulator) -> None:
    storage = Storage(em, token(run, "--bucket", BUCKET, "--prefix", "inbox/", "--role", "objectCreator"))
    assert storage.put(BUCKET, "inbox/new.txt") == 200
    assert storage.put(BUCKET, "inbo") == 403
    assert storage.put(OTHER, "inbox/new.txt") == 403
    assert storage.get(BUCKET, "inbox/new.txt") == 403, "creating is not reading"
    storage = Storage(em, token(run, "--bucket", BUCKET, "--prefix", "inbox/", "--role", "roles/storage.objectAdmin"))
    assert storage.get(BUCKET, "inbox/new.txt") == 200
    assert storage.delete(BUCKET, "inbox/new.txt") == 204


@pytest.mark.parametrize("prefix", ["it's/", 'say "x"/', "back\\slash/", "') || true || ('", "日本/"])
def test_a_prefix_with_quotes_opens_itself_and_nothing_else(run: Run, em: Emulator, prefix: str) -> None:
    whole = Storage(em, token(run))
    assert whole.put(BUCKET, f"{prefix}a.txt") == 200
    storage = Storage(em, token(run, "--bucket", BUCKET, "--prefix", prefix, "--role", "objectViewer"))
    assert storage.get(BUCKET, f"{prefix}a.txt") == 200
    assert storage.list(BUCKET, prefix=prefix) == (200, [f"{prefix}a.txt"])
    assert storage.get(BUCKET, "top.txt") == 403
    assert whole.delete(BUCKET, f"{prefix}a.txt") == 204


def test_several_rules_open_what_each_of_them_opens(run: Run, em: Emulator, tmp_path: Path) -> None:
    made = [boundary.for_bucket(BUCKET, "public/", "objectViewer"), boundary.for_bucket(OTHER, None, "objectAdmin")]
    rules = [rule for text in made for rule in json.loads(text)["accessBoundary"]["accessBoundaryRules"]]
    (tmp_path / "b.json").write_text(json.dumps({"access_boundary": {"access_boundary_rules": rules}}))
    storage = Storage(em, token(run, "--boundary", str(tmp_path / "b.json")))
    assert storage.get(BUCKET, "public/hello.txt") == 200
    assert storage.get(BUCKET, "top.txt") == 403
    assert storage.put(BUCKET, "public/new.txt") == 403
    assert storage.put(OTHER, "new.txt") == 200
    assert storage.delete(OTHER, "new.txt") == 204
    assert storage.list(OTHER)[0] == 200


def test_request_makes_the_call_with_it(run: Run) -> None:
    url = f"https://storage.googleapis.com/storage/v1/b/{BUCKET}/o/"
    done = run("request", "GET", f"{url}customer-a%2Finvoice.txt?alt=media", *HELD_DOWN)
    assert (done.returncode, done.stdout) == (0, "An invoice for customer A.\n")
    done = run("request", "GET", f"{url}top.txt?alt=media", "--fail", *HELD_DOWN)
    assert done.returncode == 22


def test_ten_processes_with_ten_boundaries_at_once_take_one_base_token(em: Emulator, env: dict[str, str]) -> None:
    started = [
        subprocess.Popen(
            [GBEARER, "token", "--bucket", BUCKET, "--prefix", f"customer-{number}/", "--role", "objectViewer"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(10)
    ]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in started]
    assert [(err, code) for _, err, code in ended] == [("", 0)] * 10
    assert len({out for out, _, _ in ended}) == 10
    paths = [entry["path"] for entry in em.log()]
    assert (paths.count("/token"), paths.count("/v1/token")) == (1, 10)


def test_whoami_and_the_cache_tell_what_a_token_is_held_down_to(run: Run) -> None:
    done = run("whoami", "--bucket", BUCKET, "--role", "objectViewer")
    assert done.returncode == 0
    assert f"bounded to  roles/storage.objectViewer on {BUCKET}\n" in done.stdout
    told = json.loads(run("whoami", *HELD_DOWN, "--format", "json").stdout)["boundary"]
    assert told[0].startswith(f"roles/storage.objectViewer on {BUCKET} where resource.name.startsWith(")
    listed = run("cache", "list").stdout.splitlines()
    assert sorted("  bounded  " in line for line in listed) == [False, True, True]


def test_a_changed_boundary_file_counts_at_once_on_the_warm_path(
    run: Run, em: Emulator, env: dict[str, str], tmp_path: Path, settled: Callable[..., None]
) -> None:
    file = tmp_path / "b.json"
    first, second = (boundary.for_bucket(BUCKET, f"customer-{one}/", "objectViewer") for one in "ab")
    assert len(first) == len(second)
    file.write_text(first)
    about = file.stat()
    settled(file)
    args = ("token", "--boundary", str(file))
    old = token(run, *args[1:])
    assert is_warm(env, *args)
    em.reset()
    assert token(run, *args[1:]) == old
    assert em.log() == []
    assert Storage(em, old).get(BUCKET, "customer-a/invoice.txt") == 200
    file.write_text(second)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))  # as `cp -p` or a git checkout may leave it
    storage = Storage(em, token(run, *args[1:]))
    assert storage.get(BUCKET, "customer-a/invoice.txt") == 403
    assert storage.get(BUCKET, "customer-b/invoice.txt") == 200
    file.unlink()
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert str(file) in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--bucket", BUCKET, "--role", "objectViewr"), "write --role objectViewer"),
        (("--bucket", f"gs://{BUCKET}", "--role", "objectViewer"), f"write --bucket {BUCKET}"),
        (("--bucket", BUCKET, "--prefix", "", "--role", "objectViewer"), "would be the whole bucket"),
        (("--bucket", BUCKET, "--prefix", "/customer-a/", "--role", "objectViewer"), "write --prefix customer-a/"),
        (("--bucket", BUCKET, "--role", "roles/storage.noSuchRole"), "Google does not accept this boundary"),
    ],
)
def test_a_bad_bucket_prefix_or_role(run: Run, args: tuple[str, ...], said: str) -> None:
    done = run("token", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_file_with_eleven_rules(run: Run, em: Emulator, tmp_path: Path) -> None:
    rule = json.loads(boundary.for_bucket(BUCKET, None, "objectViewer"))["accessBoundary"]["accessBoundaryRules"]
    (tmp_path / "b.json").write_text(json.dumps({"accessBoundaryRules": rule * 11}))
    done = run("token", "--boundary", str(tmp_path / "b.json"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path / 'b.json'} is no credential access boundary\n")
    assert "it has 11 rules, and Google takes 10" in done.stderr
    assert em.log() == []
