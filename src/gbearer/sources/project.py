"""Which project is meant: google-auth's order, with gcloud's configuration read from its files and no program run."""

import os
import re

from gbearer import endpoints, grammar, log
from gbearer.errors import Error
from gbearer.sources import wellknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source
    from gbearer.transport import Transport

_CONFIGURATION = re.compile(r"[a-z][a-z0-9-]*")


def project(look: "Look", source: "Source | None", transport: "Transport") -> str | None:
    """GOOGLE_CLOUD_PROJECT, GCLOUD_PROJECT, the file's own, gcloud's (for gcloud's file), the metadata server's.

    None where nobody says. Raises nothing: a project that cannot be found out is unknown.
    """
    for name in ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        if look.env.get(name):
            return look.env[name]
    if source is None:
        return None
    if source.project:
        return source.project
    try:
        if source.gcloud:
            return _configured(look)
        if source.kind == "metadata":
            return _of_machine(transport)
    except Error as error:
        log.debug(f"project: {error.message}")
    return None


def _configured(look: "Look") -> str | None:
    """What `gcloud config get project` would print."""
    if look.env.get("CLOUDSDK_CORE_PROJECT"):
        return look.env["CLOUDSDK_CORE_PROJECT"]
    folder = wellknown.folder(look)
    name = look.env.get("CLOUDSDK_ACTIVE_CONFIG_NAME") or _text(look, os.path.join(folder, "active_config"))
    if not _CONFIGURATION.fullmatch(name):  # no active configuration: gcloud then takes an empty one
        return None
    path = os.path.join(folder, "configurations", f"config_{name}")
    return _property(_text(look, path), "core", "project")


def _text(look: "Look", path: str) -> str:
    try:
        return (look.read(path) or b"").decode("utf-8", "replace")
    except Error:  # empty or unreadable: gcloud's affair, not a reason to fail
        return ""


def _property(text: str, section: str, name: str) -> str | None:
    from configparser import Error as ParseError
    from configparser import RawConfigParser

    parser = RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except ParseError:
        return None
    value = parser.get(section, name, fallback="").strip()
    return value if grammar.PROJECT.fullmatch(value) else None


def _of_machine(transport: "Transport") -> str | None:
    url = f"http://{endpoints.METADATA_HOST}/computeMetadata/v1/project/project-id"
    text = transport.send("GET", url, headers={"Metadata-Flavor": "Google"}).data.decode("ascii", "replace").strip()
    return text if grammar.PROJECT.fullmatch(text) else None
