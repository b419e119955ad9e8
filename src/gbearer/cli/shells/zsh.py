"""The completion script for zsh: a file `_gbearer` in a folder of $fpath, or sourced."""

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
    quoted,
    with_curl,
)


def script(commands: list[Command]) -> str:
    """The text of the script."""
    names = "\n".join(f"            {quoted(_zsh_text(each.name) + ':' + each.summary)}" for each in commands)
    cases = []
    for command in commands:
        specs = [_zsh_option(option) for option in command.options]
        specs += [_zsh_place(number, each) for number, each in enumerate(command.places, 1) if each.takes != COMMAND]
        lines = " \\\n".join(f"                {spec}" for spec in specs)
        cases.append(f"        {command.name})\n            _arguments -S : \\\n{lines} ;;")
    text = _ZSH.replace("@NAMES@", names).replace("@CASES@", "\n".join(cases))
    return text.replace("@AFTER@", with_curl(commands)).replace("@ASKED@", "\n".join(map(_asking, ASKED)))


def _zsh_text(text: str) -> str:
    """Text in a place where zsh reads colons and brackets."""
    for each in "\\:[]":
        text = text.replace(each, f"\\{each}")
    return text


def _zsh_action(what: "Option | Place") -> str:
    if what.takes == TEXT:
        return f"({' '.join(what.values)})" if what.values else " "
    return {FILE: "_gbearer_files", FOLDER: "_files -/", PROFILE: "_gbearer_profile", ACCOUNT: "_gbearer_account"}[
        what.takes
    ]


def _zsh_option(option: Option) -> str:
    """A spec for each option; those of two names exclude each other, unless they repeat."""
    text = f"[{_zsh_text(option.help)}]"
    label = _zsh_text(option.names[-1].lstrip("-"))
    value = f":{label}:{_zsh_action(option)}" if option.takes else ""
    others = "*" if option.repeats else f"({' '.join(option.names)})"
    specs = [f"{others}{name}{'=' if value and name.startswith('--') else ''}{text}{value}" for name in option.names]
    return " ".join(map(quoted, specs))


def _asking(kind: str) -> str:
    """The function that offers what gbearer answers."""
    return f"""\
_gbearer_{kind}() {{
    local -a names=(${{(f)"$({ASKED[kind]})"}})
    (( $#names )) && compadd -- $names
}}
"""


def _zsh_place(number: int, place: Place) -> str:
    return quoted(f"{'*' if place.several else number}:{_zsh_text(place.label)}:{_zsh_action(place)}")


_ZSH = r"""#compdef gbearer
# Completion of gbearer for zsh, made by `gbearer completion zsh`.

_gbearer() {
    if (( CURRENT == 2 )); then
        local -a names=(
@NAMES@
        )
        _describe -t commands 'gbearer command' names
        [[ $PREFIX == -* ]] && compadd -- --help --version
        return
    fi
    local name=$words[2] curcontext=$curcontext
    local -i dashes=${words[(i)--]}
    if (( dashes < CURRENT )); then
        case $name in
            @AFTER@) words=(curl "${(@)words[dashes+1,-1]}") ;;  # whatever completes curl here
            *) return 1 ;;
        esac
        (( CURRENT -= dashes - 1 ))
        _normal -p gbearer
        return
    fi
    shift words
    (( CURRENT-- ))
    case $name in
@CASES@
        *) return 1 ;;
    esac
}

@ASKED@
_gbearer_files() {
    compset -P '@'
    _files
}

if [[ ${funcstack[1]-} == _gbearer ]]; then
    _gbearer "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef _gbearer gbearer
fi
"""
