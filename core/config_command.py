"""``python -m core config``: pages, links and redaction rules as a file under version control."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.configuration import Step
from core.desk import Desk
from core.errors import DeskError
from core.security.accounts import DEFAULT_COMPANY
from core.security.roles import User

config_commands = typer.Typer(
    help="Pages, links and redaction rules as YAML.", no_args_is_help=True
)
# Whoever may start commands here owns the installation: there is no permission to ask for.
_USER = User("command line", None, DEFAULT_COMPANY, frozenset())

File = Annotated[str, typer.Argument(help="The file; - is standard input or output.")]


@config_commands.command("export")
def export_configuration(
    file: File = "-",
    env: Annotated[
        bool,
        typer.Option("--env", help="Name a variable (env:NAME) for each secret that is stored."),
    ] = False,
) -> None:
    """Write the configuration; stored secrets are ``***``, or variables to be set."""
    desk = _desk()
    text, names = desk.configuration.export_for(DEFAULT_COMPANY, with_env=env)
    if file == "-":
        typer.echo(text, nl=False)
    else:
        Path(file).write_text(text)
    for name in names:
        typer.echo(f"Set {name} where the file is imported.", err=True)


@config_commands.command("import")
def import_configuration(file: File = "-") -> None:
    """Add and change what the file names; what it does not name stays. Again changes nothing."""
    desk = _desk()
    steps = _apply(desk, _read(file), dry_run=False)
    done = {step.subject: step.action for step in steps}
    desk.audit.write(_USER, "here", "configuration.import", DEFAULT_COMPANY, after=done)
    _tell(steps)


@config_commands.command("diff")
def diff_configuration(file: File = "-") -> None:
    """Say what an import would do; exits with 1 if that is anything."""
    steps = _apply(_desk(), _read(file), dry_run=True)
    _tell(steps)
    raise typer.Exit(int(any(step.action != "keep" for step in steps)))


def _desk() -> Desk:
    from core.__main__ import load_settings
    from core.log import configure_logging

    settings = load_settings()
    configure_logging(settings.log_format, to_stderr=True)
    return Desk(settings)


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"{file} can't be read: {error}", err=True)
        raise typer.Exit(2) from None


def _apply(desk: Desk, text: str, *, dry_run: bool) -> list[Step]:
    try:
        return desk.configuration.apply(
            DEFAULT_COMPANY, text, username=_USER.username, dry_run=dry_run
        )
    except DeskError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def _tell(steps: list[Step]) -> None:
    for step in steps:
        if step.action != "keep":
            detail = f": {step.detail}" if step.detail else ""
            typer.echo(f"{step.action} {step.subject}{detail}")
    kept = sum(step.action == "keep" for step in steps)
    typer.echo(f"{len(steps) - kept} changes, {kept} as they are.")
