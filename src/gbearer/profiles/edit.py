"""Changing config.ini: one line at a time and all else as it was, in turn with others, and never half written."""

import os
import time

from gbearer import log, profiles
from gbearer.errors import BadCredentials, UsageError
from gbearer.profiles import ini, keys, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gbearer.sources.look import Look

    Change = Callable[[list[str], dict[str, ini.Section]], None]
    """Changes the lines of a file that holds these sections."""

PATIENCE = 10.0
"""Seconds to wait for another process that is changing the file."""
_LOCK = ".config.lock"
_NEW = ".config.ini.new"
"""Where the file is written before it takes its place; only who holds the lock writes there."""


def set_value(look: "Look", name: str, key: str, text: str) -> None:
    """Give a profile, made if it is not there, an option; UsageError when either may not be so."""
    check_name(name)
    fault = keys.problem(key, text)
    if fault is not None:
        raise UsageError(f"{key[:40]!r} cannot be set: {fault[0]}", fix=fault[1])
    if not text.isprintable():
        raise UsageError(f"{key} cannot be set: the value has control characters", fix="take them out")

    def change(lines: list[str], sections: dict[str, ini.Section]) -> None:
        _put(lines, sections.get(f"profile {name}"), f"[profile {name}]", key, _quoted(text))

    _change(look, change)


def unset(look: "Look", name: str, options: list[str]) -> None:
    """Take options out of a profile; all of it where none is named. UsageError for what is not there."""

    def change(lines: list[str], sections: dict[str, ini.Section]) -> None:
        section = _section(look, sections, name, "unset")
        missing = [key for key in options if key not in section.values]
        if missing:
            there = ", ".join(section.values) or "nothing"
            raise UsageError(
                f"the profile {name} has no {missing[0][:40]}",
                why=f"it has {there}",
                fix=f"gbearer profile show {name}",
            )
        for number in sorted((section.values[key].line for key in options or section.values), reverse=True):
            del lines[number - 1]
        if options:
            return
        own = sections.get(ini.OWN)
        used = own.values.get(ini.USED) if own is not None else None
        if used is not None and used.text == name:
            del lines[used.line - 1 - (len(section.values) if used.line > section.line else 0)]
        at = section.line - 1 - (1 if used is not None and used.text == name and used.line < section.line else 0)
        del lines[at - 1 if at and not lines[at - 1].strip() else at : at + 1]  # with the empty line above it
        while not at and lines and not lines[0].strip():
            del lines[0]

    _change(look, change)


def use(look: "Look", name: str | None) -> None:
    """Choose a profile for wherever nothing else chooses one; None chooses none. UsageError when it is not there."""

    def change(lines: list[str], sections: dict[str, ini.Section]) -> None:
        own = sections.get(ini.OWN)
        if name is not None:
            _section(look, sections, name, "use")
            _put(lines, own, f"[{ini.OWN}]", ini.USED, name)
        elif own is not None and ini.USED in own.values:
            del lines[own.values[ini.USED].line - 1]

    _change(look, change)


def check_name(name: str) -> None:
    """UsageError when no profile can be called so."""
    if not profiles.NAME.fullmatch(name) or name == profiles.NONE:
        raise UsageError(
            f"{name[:60]!r} is no name for a profile",
            why="a name is up to 64 letters, digits and any of . _ @ + -, and none is for going without",
            fix="choose another name",
        )


def _section(look: "Look", sections: dict[str, ini.Section], name: str, action: str) -> ini.Section:
    found = sections.get(f"profile {name}")
    if found is None:
        known = [title.removeprefix("profile ") for title in sections if title != ini.OWN]
        raise profiles.unknown(name, f"gbearer profile {action}", profiles.config_path(look), known)
    return found


def _put(lines: list[str], section: ini.Section | None, title: str, key: str, text: str) -> None:
    """Set `key` in `section`, which is made at the end where it is None."""
    if section is None:
        lines += ["", title] if any(line.strip() for line in lines) else [title]
        lines.append(f"{key} = {text}")
    elif key in section.values:
        at = section.values[key].line - 1
        lines[at] = f"{lines[at].partition('=')[0].rstrip()} = {text}"
    else:
        last = max([section.line, *(value.line for value in section.values.values())])
        lines.insert(last, f"{key} = {text}")


def _quoted(text: str) -> str:
    return f'"{text}"' if text != text.strip() or text[:1] in "\"'" else text


def _change(look: "Look", change: "Change") -> None:
    """Read config.ini, change its lines, and put it back in one step, while nobody else does."""
    path = profiles.config_path(look)
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        lock = _locked(folder)
        try:
            data = places.read(look, path, places.LARGEST)
            ini.config(data or b"", path)  # what is broken is not written to
            lines = (data or b"").decode("utf-8").split("\n")
            end = "\r" if lines[0].endswith("\r") else ""
            lines = [line.removesuffix("\r") for line in lines]
            if not lines[-1]:
                lines.pop()
            change(lines, ini.parse(data or b"", path))
            text = "".join(f"{line}{end}\n" for line in lines)
            ini.config(text.encode(), path)
            if text.encode() != data:
                _write(os.path.realpath(path), text.encode())
        finally:
            from gbearer.cache import lock as locks

            locks.release(folder, _LOCK, lock)
    except OSError as error:
        raise BadCredentials(
            f"{path} cannot be written",
            why=(error.strerror or str(error)).lower(),
            fix=f"check who may write to {folder}",
        ) from None


def _locked(folder: str) -> int:
    from gbearer.cache import lock as locks

    ends = time.monotonic() + PATIENCE
    while (lock := locks.acquire(folder, _LOCK)) is None:
        if time.monotonic() > ends:
            raise OSError(0, f"another process has been changing it for more than {PATIENCE:.0f} s")
        time.sleep(0.01)
    return lock


def _write(path: str, data: bytes) -> None:
    """Replace the file in one step: whoever reads it sees the old one or the new one, also after a crash."""
    new = os.path.join(os.path.dirname(path), _NEW)
    try:
        os.unlink(new)  # of a writer that was killed
    except FileNotFoundError:
        pass
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(file, 0o600)
        while data:
            data = data[os.write(file, data) :]
        os.fsync(file)
    except OSError:
        os.unlink(new)
        raise
    finally:
        os.close(file)
    os.replace(new, path)
    log.debug(f"{path} was written")
