"""Completion scripts for bash, zsh and fish, made from one table of commands; they start no Python by themselves."""

from gbearer.cli.shells import bash, fish, zsh

SCRIPTS = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}
