"""Prints medians and ratios of gbearer against bare Python, google-auth, gcloud and oauth2l, measured pair by pair.

Everything runs on loopback against the embedded emulator, with its own HOME, cache and environment.
`python bench/run.py --quick` takes fewer pairs: enough to see that it works, too few to quote.
"""

import argparse
import datetime
import itertools
import json
import os
import platform
import re
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import people
import where
from measure import GBEARER, HERE, PYTHON, Ratio, Run, ended_well, environment, once, pairs, process, start, table

from gbearer.emulator import Emulator, running

SETTLE_S = 2.5  # a credential file younger than 2 s is not remembered by the warm path, on purpose


def minted(em: Emulator) -> int:
    """Count the token requests that the emulator has answered since its log was emptied."""
    return sum(bool(entry["grant_type"]) for entry in em.log())


def startup(em: Emulator, env: dict[str, str], count: int, home: Path) -> list[Ratio]:
    """Whole processes: warm and cold, against bare Python and against the program one writes by hand."""
    token = [GBEARER, "token"]
    fresh = itertools.count()

    def cold_env() -> dict[str, str]:
        return {**env, "GBEARER_CACHE": str(home / f"cold-{next(fresh)}")}

    once(token, env)
    once(token, env)
    em.reset()
    bare = process([PYTHON, "-c", "pass"], env)
    warm = process(token, env)
    cold = process(token, cold_env)
    seed = process([PYTHON, str(HERE / "seed_default.py")], env)
    rows = [pairs("gbearer token, warm", warm, "python -c pass", bare, count)]
    if minted(em):
        raise SystemExit("error: the warm runs asked for tokens")
    few = max(3, count // 3)
    rows.append(pairs("gbearer token, cold", cold, "python -c pass", bare, few))
    rows.append(pairs("gbearer token, warm", warm, "google-auth program", seed, few))
    rows.append(pairs("gbearer token, cold", cold, "google-auth program", seed, few))
    url = f"{em.url}/functions/get_range"
    call = process([GBEARER, "request", "POST", url, "--json", "{}"], cold_env)
    function = process([PYTHON, str(HERE / "seed_function.py"), str(em.key_file), url], env)
    rows.append(pairs("gbearer request, cold", call, "google-auth program", function, few))
    return rows


def on_aws(em: Emulator, env: dict[str, str], count: int, home: Path) -> list[Ratio]:
    """A warm token of a federated AWS identity, by its environment and by a profile, against one of a key."""
    exports = re.findall(r"^export (AWS_\w+)=(.*)$", (em.dir / "aws.sh").read_text(), re.MULTILINE)
    variables = {name: " ".join(shlex.split(value)) for name, value in exports}
    profile = home / "aws-profile"
    profile.write_text("[bench]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in variables.items()))
    token = [GBEARER, "token", "--credentials", str(em.dir / "external-aws-impersonated.json")]
    named = {"AWS_SHARED_CREDENTIALS_FILE": str(profile), "AWS_PROFILE": "bench", "AWS_REGION": variables["AWS_REGION"]}
    time.sleep(SETTLE_S)
    key, rows = process([GBEARER, "token"], env), []
    for what, more in (("environment", variables), ("profile", named)):
        once(token, env | more)
        once(token, env | more)
        em.reset()
        ours = process(token, env | more)
        rows.append(
            pairs(f"gbearer token, warm, AWS {what}", ours, "gbearer token, warm, key", key, max(3, count // 3))
        )
        if em.log():
            raise SystemExit("error: the warm runs on AWS asked for tokens")
    return rows


def of_gcloud(em: Emulator, env: dict[str, str], theirs: Run, count: int, home: Path) -> list[Ratio]:
    """The session of gcloud, read from its files, warm and cold, against gcloud itself with a token in its cache."""
    token = [GBEARER, "token", "--source", "gcloud"]
    fresh = itertools.count()

    def cold_env() -> dict[str, str]:
        return {**env, "GBEARER_CACHE": str(home / f"cold-session-{next(fresh)}")}

    time.sleep(SETTLE_S)
    once(token, env)
    once(token, env)
    em.reset()
    other = "gcloud auth print-access-token"
    rows = [pairs("gbearer token --source gcloud, warm", process(token, env), other, theirs, count)]
    if minted(em):
        raise SystemExit("error: the warm runs on gcloud's session asked for tokens")
    return [*rows, pairs("gbearer token --source gcloud, cold", process(token, cold_env), other, theirs, count)]


def programs(em: Emulator, env: dict[str, str], count: int, home: Path) -> list[Ratio]:
    """Other programs that print a token, where they are installed; says aloud when one is not."""
    rows = []
    ours = process([GBEARER, "token"], env)
    gcloud = shutil.which("gcloud")
    if gcloud:
        cloud_env = {**env, **em.env}
        once([gcloud, "auth", "activate-service-account", f"--key-file={em.key_file}"], cloud_env)
        theirs = process([gcloud, "auth", "print-access-token"], cloud_env)
        rows.append(pairs("gbearer token, warm", ours, "gcloud auth print-access-token", theirs, count))
        rows += of_gcloud(em, cloud_env, theirs, count, home)
    oauth2l = shutil.which("oauth2l")
    if oauth2l:
        fetch = [oauth2l, "fetch", "--credentials", str(em.key_file), "--scope", "cloud-platform"]
        rows.append(pairs("gbearer token, warm", ours, "oauth2l fetch", process(fetch, env), count))
    for name, path in (("gcloud", gcloud), ("oauth2l", oauth2l)):
        if path is None:
            print(f"not measured: {name} is not installed")
    return rows


def hot(em: Emulator, env: dict[str, str], count: int, calls: int) -> Ratio:
    """One process, token in memory: our header against google-auth's before_request."""
    script = [PYTHON, str(HERE / "inprocess.py"), str(em.key_file), em.url, str(count), str(calls)]
    samples = json.loads(once(script, env))
    ours, theirs = samples["ours"], samples["theirs"]
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return Ratio(
        "client.header(), hot",
        "google-auth before_request",
        statistics.median(ours),
        statistics.median(theirs),
        ratio,
        count,
    )


def herd(em: Emulator, env: dict[str, str], home: Path) -> list[str]:
    """Many askers at once, nothing cached: token requests made, and different answers given."""
    lines = ["askers at once, cold                token requests   different answers     took"]

    def line(what: str, answers: int, took: float) -> None:
        lines.append(f"{what:35}{minted(em):15d}{answers:20d}{took:7.2f} s")

    em.reset()
    variables = {**env, "GBEARER_CACHE": str(home / "herd-processes")}
    outs = [home / f"answer-{number}" for number in range(50)]
    begun = time.perf_counter()
    pids = [start([GBEARER, "token"], variables, out) for out in outs]
    for pid in pids:
        ended_well(pid, [GBEARER, "token"], variables)
    took = time.perf_counter() - begun
    line("50 processes", len({out.read_text() for out in outs}), took)
    for kind, count in (("threads", 50), ("coroutines", 1000)):
        em.reset()
        variables = {**env, "GBEARER_CACHE": str(home / f"herd-{kind}")}
        begun = time.perf_counter()
        different = int(once([PYTHON, str(HERE / "herd.py"), kind, str(em.key_file), str(count)], variables))
        line(f"{count:,} {kind}, one process", different, time.perf_counter() - begun)
    return lines


def machine() -> str:
    """Say what was measured, where and when."""
    names = ("gbearer", "google-auth", "urllib3", "requests", "cryptography")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    when = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = f"load {os.getloadavg()[0]:.1f}"
    kind = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {load}"
    return f"{when} · {kind} · Python {platform.python_version()} · {versions}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few pairs: shows that it works, nothing to quote")
    quick = parser.parse_args().quick
    print(machine())
    with tempfile.TemporaryDirectory(prefix="gbearer-bench-") as folder:
        home = Path(folder)
        with running(dir=home / "emulator") as em:
            env = environment(
                home / "home",
                GBEARER_EMULATOR_HOST=em.host,
                GOOGLE_APPLICATION_CREDENTIALS=str(em.key_file),
                NO_PROXY="127.0.0.1,localhost",
            )
            time.sleep(SETTLE_S)
            rows = startup(em, env, 9 if quick else 60, home)
            rows += people.rows(em, env, 9 if quick else 60, home, SETTLE_S)
            rows += on_aws(em, env, 9 if quick else 60, home)
            rows += programs(em, env, 2 if quick else 9, home)
            rows.append(hot(em, env, 5 if quick else 31, 2000 if quick else 20000))
            print(f"\n{table(rows)}\n")
            print("\n".join(herd(em, env, home)), end="\n\n")
            print("\n".join(where.report({**env, "GBEARER_CACHE": "off"})))
    return 0


if __name__ == "__main__":
    sys.exit(main())
