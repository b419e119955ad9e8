"""The completion script for fish 3 and later."""

from gbearer.cli.shells.table import (
    ACCOUNT,
    ASKED,
    COMMAND,
    FILE,
    FOLDER,
    PROFILE,
    TEXT,
    Command,
    Option,
    Place,
    taking,
)


def script(commands: list[Command]) -> str:
    """The text of the script; options that several commands share stand there once."""
    lines = [
        f"complete -c gbearer -n __gbearer_first -a {each.name} -d {_fish_quoted(each.summary)}" for each in commands
    ]
    shared: dict[str, list[str]] = {}
    for command in commands:
        for option in command.options:
            shared.setdefault(_fish_option(option), []).append(command.name)
        for number, place in enumerate(command.places, 1):
            text = _fish_value(place)
            if place.takes == COMMAND:
                lines.append(f"complete -c gbearer -n '__gbearer_after {command.name}' {text}")
            elif text:
                at = "" if place.several else f" {number}"
                lines.append(f"complete -c gbearer -n '__gbearer_word {command.name}{at}' {text}")
    lines += [f"complete -c gbearer -n '__gbearer_in {' '.join(names)}' {text}" for text, names in shared.items()]
    text = _FISH.replace("@LINES@", "\n".join(lines)).replace("@TAKING@", taking(commands))
    return text.replace("@PROFILES@", ASKED[PROFILE]).replace("@ACCOUNTS@", ASKED[ACCOUNT])


def _fish_option(option: Option) -> str:
    parts = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    if option.takes:
        parts.append("-r" if option.takes == FILE else "-x")
        parts += [text] if (text := _fish_value(option)) else []
    return " ".join([*parts, "-d", _fish_quoted(option.help)])


def _fish_value(what: "Option | Place") -> str:
    if what.takes == TEXT:
        return f"-a {_fish_quoted(' '.join(what.values))}" if what.values else ""
    return {
        FILE: "-F -a '(__gbearer_at_file)'",
        FOLDER: "-a '(__fish_complete_directories (commandline -ct))'",
        PROFILE: "-a '(__gbearer_profiles)'",
        ACCOUNT: "-a '(__gbearer_accounts)'",
        COMMAND: "-a '(__gbearer_curl)'",
    }[what.takes]


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_FISH = r"""# Completion of gbearer for fish, made by `gbearer completion fish`.

function __gbearer_first -d 'The command is still to come'
    test (count (commandline -opc)) -eq 1
end

function __gbearer_in -d 'The command is one of these'
    set -l typed (commandline -opc)
    test (count $typed) -gt 1; and contains -- $typed[2] $argv
end

function __gbearer_after -d 'The command is this one, and its -- was typed'
    __gbearer_in $argv; and contains -- -- (commandline -opc)
end

function __gbearer_word -d 'The command is this one, and this word of it is being typed'
    __gbearer_in $argv[1]; or return 1
    set -l typed (commandline -opc)
    set -l number 1
    set -l value 0
    for each in $typed[3..-1]
        if test $value -eq 1
            set value 0
        else if contains -- $each @TAKING@
            set value 1
        else if not string match -q -- '-*' $each
            set number (math $number + 1)
        end
    end
    test $value -eq 0; and begin
        not set -q argv[2]; or test $number -eq $argv[2]
    end
end

function __gbearer_profiles
    @PROFILES@
end

function __gbearer_accounts
    @ACCOUNTS@
end

function __gbearer_at_file -d 'Paths after @'
    set -l typed (commandline -ct | string replace -r '^--[a-z-]+=' '')
    if string match -q -- '@*' $typed
        for each in (__fish_complete_path (string sub -s 2 -- $typed))
            echo "@$each"
        end
    end
end

function __gbearer_curl -d 'Whatever completes curl here'
    set -l typed (commandline -opc)
    set -l from (math (contains -i -- -- $typed) + 1)
    set -l current (commandline -ct)
    complete -C (string join ' ' -- curl (string escape -- $typed[$from..-1]) "$current")
end

complete -c gbearer -e
complete -c gbearer -f
complete -c gbearer -n __gbearer_first -l help -d 'show the commands'
complete -c gbearer -n __gbearer_first -l version -d 'show the version'
@LINES@
"""
