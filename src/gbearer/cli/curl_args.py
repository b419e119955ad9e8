"""Reads curl's arguments as the installed curl would: which are options, which are values, and which are URLs."""

import re

from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = "\0config"
"""Stands among the arguments where curl has to be handed the header: at the start of each part between --next."""

_LINE = re.compile(r" (?:-(?P<short>\S), |    )--(?P<long>[A-Za-z0-9][A-Za-z0-9.-]*)(?P<value> [<\[])?")
_FEWEST = 150  # curl 7.58 has 200 options; a help text with fewer was not understood


class Known:
    """The options of one curl: whether a long one takes a value, and which long one a letter means."""

    __slots__ = ("letters", "takes")

    def __init__(self, help_all: str) -> None:
        """`help_all` is what `curl --help all` prints; UsageError when that is not understood."""
        self.takes: dict[str, bool] = {}
        self.letters: dict[str, str] = {}
        for line in help_all.splitlines():
            found = _LINE.match(line)
            if found:
                self.takes[found["long"]] = found["value"] is not None
                if found["short"]:
                    self.letters[found["short"]] = found["long"]
        if len(self.takes) < _FEWEST:
            raise UsageError(
                "the options of this curl cannot be read", why="`curl --help all` prints none", fix="gbearer request"
            )

    def long(self, word: str) -> tuple[str, bool]:
        """(name, whether it takes a value) of `--NAME`; curl's own abbreviations are refused."""
        name = word[2:]
        if name in self.takes:
            return name, self.takes[name]
        for other in (name.removeprefix("no-"), f"no-{name}"):
            if self.takes.get(other) is False:
                return other, False
        raise UsageError(
            f"this curl has no option {word}",
            why="abbreviations are not read, and --option=value is not curl's way",
            fix="write the option in full, its value as the next argument",
        )


class Read:
    """Arguments that were read: the URLs, every option with its value, and the arguments with CONFIG in its places."""

    __slots__ = ("args", "options", "urls")

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.options: list[tuple[str, str]] = []
        self.args: list[str] = [CONFIG]

    def has(self, *names: str) -> str | None:
        """The first of these options that is given."""
        given = {name for name, _ in self.options}
        return next((name for name in names if name in given), None)


def read(words: list[str], known: Known) -> Read:
    """Take curl's arguments apart; UsageError where they are not curl's."""
    done = Read()
    rest = iter(words)
    for word in rest:
        done.args.append(word)
        if word == "--":
            remaining = list(rest)
            done.urls += remaining
            done.args += remaining
        elif word.startswith("--"):
            name, takes = known.long(word)
            _take(done, name, _value(word, rest, done) if takes else "")
            if name == "next":
                done.args.append(CONFIG)
        elif word.startswith("-") and word != "-":
            _letters(word, rest, done, known)
        else:
            done.urls.append(word)
    return done


def _letters(word: str, rest: "Iterator[str]", done: Read, known: Known) -> None:
    """One argument of short options: `-sSL`, `-XPOST`, `-d @file`."""
    starts_part = False
    for place, letter in enumerate(word[1:], start=2):
        name = known.letters.get(letter)
        if name is None:
            raise UsageError(
                f"this curl has no option -{letter}", why=f"it stands in {word[:40]}", fix="curl --help all"
            )
        if known.takes[name]:
            _take(done, name, word[place:] or _value(f"-{letter}", rest, done))
            break
        _take(done, name, "")
        starts_part = starts_part or name == "next"
    if starts_part:
        done.args.append(CONFIG)


def _value(word: str, rest: "Iterator[str]", done: Read) -> str:
    value = next(rest, None)
    if value is None:
        raise UsageError(f"curl's option {word} needs a value")
    done.args.append(value)
    return value


def _take(done: Read, name: str, value: str) -> None:
    done.options.append((name, value))
    if name == "url":
        done.urls.append(value)
