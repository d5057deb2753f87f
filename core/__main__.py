"""The product's command line: ``python -m core``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Annotated

import typer
from pydantic import ValidationError

from core.config_command import config_commands
from core.desk import Desk
from core.log import configure_logging
from core.settings import Settings

commands = typer.Typer(
    help="CRM desk: CRM links for Facebook bots.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@commands.command()
def run() -> None:
    """Start the dashboard with the REST API, and the scheduler; Ctrl-C stops both."""
    from core.supervisor import Supervisor, scheduler_command, web_command

    settings = load_settings()
    supervisor = Supervisor(settings.port)
    supervisor.add("web", web_command(settings.port))
    supervisor.add("scheduler", scheduler_command())
    raise typer.Exit(supervisor.run())


@commands.command()
def demo() -> None:
    """The same with a sample CRM server, a sample company, two pages and four links."""
    from core.demo.seed import demo_environment, seed
    from core.supervisor import Supervisor, python_command, scheduler_command, web_command

    environment = demo_environment()
    settings = load_settings()
    seed(Desk(settings))
    supervisor = Supervisor(settings.port, environment)
    supervisor.add("sample CRM", python_command("core.demo.server"))
    supervisor.add("web", web_command(settings.port))
    supervisor.add("scheduler", scheduler_command())
    raise typer.Exit(supervisor.run())


@commands.command()
def web() -> None:
    """Start the dashboard with the REST API alone."""
    from core.supervisor import web_command

    command = web_command(load_settings().port)
    os.execv(command[0], command)  # noqa: S606  (takes this process's place)


@commands.command()
def health() -> None:
    """Ask the running web process how it is; exits with 1 if it does not answer well."""
    import requests

    address = f"http://127.0.0.1:{load_settings().port}/api/health"
    try:
        answer = requests.get(address, timeout=4)
    except requests.RequestException as error:
        typer.echo(f"{address} does not answer: {type(error).__name__}", err=True)
        raise typer.Exit(1) from None
    typer.echo(answer.text)
    raise typer.Exit(0 if answer.ok else 1)


@commands.command()
def scheduler(
    once: Annotated[
        bool, typer.Option("--once", help="Sync what is due, then exit: 1 if any failed.")
    ] = False,
) -> None:
    """Sync CRM links as they become due."""
    settings = load_settings()
    configure_logging(settings.log_format)
    desk = Desk(settings)
    if once:
        raise typer.Exit(0 if desk.scheduler().run_once() else 1)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    desk.embedder.warm_up()
    desk.scheduler().run_forever(stop)


commands.add_typer(config_commands, name="config")

mirrors = typer.Typer(help="Chroma mirrors of the store.", no_args_is_help=True)
commands.add_typer(mirrors, name="mirror")


@mirrors.command("check")
def check_mirrors() -> None:
    """Compare every mirror with the store; exits with 1 if one differs."""
    _mirror_order("check")


@mirrors.command("rebuild")
def rebuild_mirrors() -> None:
    """Build every mirror again from the store, and compare it."""
    _mirror_order("rebuild")


secrets_commands = typer.Typer(
    help="The key that secrets are encrypted with.", no_args_is_help=True
)
commands.add_typer(secrets_commands, name="secrets")


@secrets_commands.command("rotate")
def rotate_secrets() -> None:
    """Encrypt every stored secret with a new key."""
    from core.errors import DeskError

    settings = load_settings()
    configure_logging(settings.log_format)
    try:
        count = Desk(settings).rotate_secrets()
    except DeskError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{count} secrets are encrypted with the new key.")


def _mirror_order(action: str) -> None:
    settings = load_settings()
    configure_logging(settings.log_format)

    def say(count: int) -> None:
        if count:
            typer.echo(f"Waiting for {count} processes that hold a mirror…")
        else:
            typer.echo("No web process is running: looking at the folder of the next one…")

    reports = Desk(settings).follower.order(action, on_wait=say)
    for report in reports:
        if not report.differences:
            typer.echo(f"{report.mirror}: agrees with the store")
        for difference in report.differences:
            typer.echo(f"{report.mirror}: {difference}")
    if not reports:
        typer.echo("No mirror has answered.", err=True)
    is_well = bool(reports) and not any(report.differences for report in reports)
    raise typer.Exit(0 if is_well else 1)


def load_settings() -> Settings:
    """The settings; what can't be used ends the process with a sentence that names it."""
    try:
        return Settings()
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0]).upper() if item["loc"] else "OIDC_ISSUER"
            typer.echo(f"The setting {name} is not usable: {item['msg']}", err=True)
        typer.echo("docs/settings.md lists every setting.", err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    sys.exit(commands())
