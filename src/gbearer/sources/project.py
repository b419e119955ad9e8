"""Which project is meant: google-auth's order, with gcloud's configuration read from its files and no program run."""

from gbearer import endpoints, grammar, log
from gbearer.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source
    from gbearer.transport import Transport


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
    from gbearer.sources.gcloud import configuration

    value = configuration.read(look).get("core", "project") or ""
    return value if grammar.PROJECT.fullmatch(value) else None


def _of_machine(transport: "Transport") -> str | None:
    url = f"http://{endpoints.METADATA_HOST}/computeMetadata/v1/project/project-id"
    text = transport.send("GET", url, headers={"Metadata-Flavor": "Google"}).data.decode("ascii", "replace").strip()
    return text if grammar.PROJECT.fullmatch(text) else None
