"""The completion script for bash 4 and later; where there is no compopt (3.2, on a Mac) paths come out plainer."""

from gbearer.cli.shells.table import ASKED, COMMAND, Command, Option, Place, quoted, taking, with_curl


def script(commands: list[Command]) -> str:
    """The text of the script."""
    lines = [f"        {each.name}) options={quoted(' '.join(_names(each)))} ;;" for each in commands]
    values: dict[str, list[str]] = {}
    for command in commands:
        for option in command.options:
            for name in option.names if option.takes else ():
                values.setdefault(_bash_value(option), []).append(f"{command.name}:{name}")
        for number, place in enumerate(command.places, 1):
            where = f"{command.name}:[{number}-9]" if place.several else f"{command.name}:{number}"
            values.setdefault(_bash_value(place), []).append(where)
    values.pop("takes=text", None)
    return (
        _BASH.replace("@OPTIONS@", "\n".join(lines))
        .replace("@VALUES@", "\n".join(f"        {'|'.join(dict.fromkeys(w))}) {v} ;;" for v, w in values.items()))
        .replace("@TAKING@", taking(commands))
        .replace("@AFTER@", with_curl(commands))
        .replace("@COMMANDS@", " ".join(each.name for each in commands))
        .replace("@ASKED@", "\n".join(f"        {kind}) values=$({command}) ;;" for kind, command in ASKED.items()))
    )


def _names(command: Command) -> list[str]:
    """The options' names, and -- where another program's words follow it."""
    names = [name for option in command.options for name in option.names]
    return names + ["--"] * any(place.takes == COMMAND for place in command.places)


def _bash_value(what: "Option | Place") -> str:
    return f"takes={what.takes}" + (f" values={quoted(' '.join(what.values))}" if what.values else "")


_BASH = r"""# Completion of gbearer for bash, made by `gbearer completion bash`.

_gbearer() {
    local words=() at=() rest=${COMP_LINE:0:COMP_POINT} word number=0 i
    for ((i = 0; i <= COMP_CWORD; i++)); do  # bash takes words apart at = : @; what is not apart belongs together
        word=${rest%%[![:blank:]]*}
        rest=${rest#"$word"}
        if ((i == 0)) || [[ $word ]]; then ((number++)); at[number - 1]=$i; fi
        word=${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && word=$rest
        words[number - 1]+=$word
        rest=${rest#"$word"}
    done
    COMPREPLY=()
    local command=${words[1]-} current=${words[number - 1]} option= count=0 options= takes= values=
    if ((number <= 2)); then
        _gbearer_offer "$current" "$current" "@COMMANDS@ --help --version" "$2"
        return 0
    fi
    for ((i = 2; i < number - 1; i++)); do
        word=${words[i]}
        if [[ $option ]]; then option=; continue; fi
        case $word in
        --) _gbearer_after "$command" "${at[i]}" "$2"; return 0 ;;
        -*) case " @TAKING@ " in *" $word "*) option=$word ;; esac ;;
        *) ((count++)) ;;
        esac
    done
    case $command in
@OPTIONS@
        *) return 0 ;;
    esac
    word=$current
    if [[ -z $option && $current == --*=* ]]; then
        option=${current%%=*}
        word=${current#*=}
    elif [[ -z $option && $current == -* ]]; then
        _gbearer_offer "$current" "$current" "$options" "$2"
        return 0
    fi
    case $command:${option:-$((count + 1))} in
@VALUES@
    esac
    case $takes in
        file) _gbearer_paths -f "$word" "$current" "$2" ;;
        folder) _gbearer_paths -d "$word" "$current" "$2" ;;
@ASKED@
    esac
    _gbearer_offer "$word" "$current" "$values" "$2"
    return 0
}

# The words of $3 that begin with $1, without what readline keeps of the word $2: it completes the part $4 alone.
_gbearer_offer() {
    local each known kept=${2%"$4"} before=${2%"$1"}
    IFS=$' \t\n' read -r -d '' -a known <<<"$3"
    for each in "${known[@]}"; do
        [[ $each == "$1"* ]] || continue
        each=$before$each
        COMPREPLY+=("${each#"$kept"}")
    done
}

# Paths: readline's own completion knows quotes, blanks and ~; after @, and in the bash of a Mac, plain ones.
_gbearer_paths() {
    if [[ $2 != @* ]] && type compopt >/dev/null 2>&1; then
        if [[ $1 == -d ]]; then compopt -o dirnames; else compopt -o default; fi 2>/dev/null
        return 0
    fi
    local each at= kept=${3%"$4"}
    [[ $2 == @* ]] && at=@
    while IFS= read -r each; do
        [[ -d $each ]] && each=$each/ && compopt -o nospace 2>/dev/null
        printf -v each %q "$each"
        each=${3%"$2"}$at$each
        COMPREPLY+=("${each#"$kept"}")
    done < <(compgen "$1" -- "${2#@}")
}

# After `curl --`: what completes curl's own words, with the package bash-completion; paths without it.
_gbearer_after() {
    case $1 in @AFTER@) ;; *) return 0 ;; esac
    local helper
    for helper in _comp_command_offset _command_offset; do
        if declare -F "$helper" >/dev/null; then
            local words=(curl "${COMP_WORDS[@]:$2 + 1}")
            local COMP_WORDS=("${words[@]}") COMP_CWORD=$((COMP_CWORD - $2)) COMP_LINE="curl ${COMP_LINE#* -- }"
            local COMP_POINT=${#COMP_LINE}
            "$helper" 0
            return 0
        fi
    done
    _gbearer_paths -f "$3" "$3" "$3"
}

complete -F _gbearer gbearer
"""
