"""Is this machine on Google Cloud? Told by variables and firmware; only where both are silent by one short ping."""

import os
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import endpoints, log
from gbearer.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from gbearer.sources.look import Look
    from gbearer.transport import Transport

    class Notes(Protocol):
        """Small facts that outlive the process; the broker keeps them in the cache folder."""

        def read(self, name: str) -> str | None:
            """The fact, while it holds."""

        def write(self, name: str, text: str, seconds: float) -> None:
            """Keep a fact for so long."""


NOTE = "no-metadata-server"
REMEMBERED = 600.0
"""Seconds for which "there is no metadata server" is believed, on the same boot."""
PATIENCE = 1.0
"""Seconds that the one ping may take."""
_HINTS = (
    "GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT", "K_SERVICE", "CLOUD_RUN_JOB",
    "CLOUD_RUN_WORKER_POOL", "FUNCTION_TARGET", "GAE_ENV", "GAE_SERVICE",
)  # fmt: skip
_DMI = "sys/class/dmi/id/"
_BOOT = "proc/sys/kernel/random/boot_id"


def detect(look: "Look", transport: "Transport", notes: "Notes | None") -> tuple[bool, str]:
    """(whether a metadata server is to be asked, why). Sends one ping at most, and none where it is known."""
    env = look.env
    if env.get("NO_GCE_CHECK") == "true":
        return False, "NO_GCE_CHECK=true says not to look"
    choice = env.get("METADATA_SERVER_DETECTION", "").strip().lower()
    if choice == "none":
        return False, "METADATA_SERVER_DETECTION=none says not to look"
    if choice == "assume-present":
        return True, "METADATA_SERVER_DETECTION=assume-present says so"
    if endpoints.emulator(env):
        return True, f"{endpoints.EMULATOR_VARIABLE} is set"
    hint = next((name for name in _HINTS if env.get(name)), None)
    if hint:
        return True, f"{hint} is set"
    if look.system == "darwin":
        return False, "this is a Mac"
    vendor = _vendor(look)
    if vendor.startswith("Google"):
        return True, f"the firmware says {vendor}"
    if vendor:
        return False, f"the firmware says {vendor}, not Google"
    return _ping(look, transport, notes)


def _vendor(look: "Look") -> str:
    """What the firmware calls this machine: Google's products, else the vendor; "" where it says nothing."""
    if look.system == "win32":
        return ""
    product, vendor = look.kernel(_DMI + "product_name"), look.kernel(_DMI + "sys_vendor")
    told = product if product.startswith("Google") else vendor or product
    return "".join(c if " " <= c <= "~" else "?" for c in told[:60])


def boot(look: "Look") -> str:
    """What is different after every start of this machine; "" where the system does not tell."""
    return look.kernel(_BOOT)


def machine(look: "Look", what: str) -> str | None:
    """A digest of what tells this machine, since its last start, from every other, and of `what`; None if unknown."""
    here = boot(look)
    if not here:
        return None
    try:
        network = os.readlink(os.path.join(look.root, "proc/self/ns/net"))
    except OSError:
        network = ""
    parts = f"{here}\0{os.uname().nodename}\0{network}\0{what}"
    return blake2b(parts.encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()


def _ping(look: "Look", transport: "Transport", notes: "Notes | None") -> tuple[bool, str]:
    here, env = boot(look), look.env
    if notes is not None and here and notes.read(NOTE) == here:
        return False, "no metadata server answered a few minutes ago"
    try:
        quick = type(transport)(transport.env, total=PATIENCE, tries=1)
        answer = quick.send(
            "GET", f"http://{endpoints.METADATA_IP}/", headers={"Metadata-Flavor": "Google"}, timeout=PATIENCE
        )
        if answer.status == 200 and answer.headers.get("Metadata-Flavor") == "Google":
            return True, "a metadata server answered"
        reason = f"what answers at {endpoints.METADATA_IP} is not Google's metadata server"
    except Error as error:
        log.debug(f"ping: {error.message}", at=2)
        reason = f"no metadata server answers at {endpoints.METADATA_IP}"
    if notes is not None and here and not env.get("KUBERNETES_SERVICE_HOST"):  # a young pod has to wait for its own
        notes.write(NOTE, here, REMEMBERED)
    return False, reason
