"""``conformance completion``: a script that completes commands and options in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

HELP = "print a script that completes commands and options in bash, zsh or fish"

_BASH = """_conformance() {{
  local words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{commands}"
  else
    case "${{COMP_WORDS[1]}}" in
{cases}
      *) words="" ;;
    esac
  fi
  case "$2" in
    -*|"") COMPREPLY=($(compgen -W "$words" -- "$2")) ;;
    *) [ "$COMP_CWORD" -eq 1 ] && COMPREPLY=($(compgen -W "$words" -- "$2")) ;;
  esac
}}
complete -o default -o bashdefault -F _conformance conformance
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the argument: the shell."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.epilog = (
        'Load it with: eval "$(conformance completion bash)" (bash and zsh), or conformance completion fish | source'
    )


def script(shell: str, commands: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    """The script for a shell. ``commands`` maps each command to its help text and its options."""
    if shell == "fish":
        lines = ["complete -c conformance -n __fish_use_subcommand -f"]
        for name, (text, names) in commands.items():
            about = text.replace("'", "")
            lines.append(f"complete -c conformance -n __fish_use_subcommand -a {name} -d '{about}'")
            seen = f"-n '__fish_seen_subcommand_from {name}'"
            lines += [f"complete -c conformance {seen} {_fish(option)}" for option in names]
        return "\n".join(lines) + "\n"
    cases = "\n".join(f'      {name}) words="{" ".join(names)}" ;;' for name, (_, names) in commands.items())
    text = _BASH.format(commands=" ".join(commands), cases=cases)
    return f"autoload -Uz bashcompinit && bashcompinit\n{text}" if shell == "zsh" else text


def _fish(option: str) -> str:
    return f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
