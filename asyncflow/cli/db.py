"""`asyncflow db ...`: the database file."""

from __future__ import annotations

import click

from asyncflow.cli.app import Group
from asyncflow.cli.session import Session, pass_session, shared_options
from asyncflow.config import Settings


@click.group(cls=Group)
@shared_options
def db() -> None:
    """Check or migrate the database (serve migrates by itself)."""


@db.command("check")
@shared_options
@pass_session
def check(session: Session) -> None:
    """Check that the database opens and is whole; exits 1 if not."""
    import anyio

    path = session.settings.database
    if not path.exists():
        raise click.ClickException(f"There is no database yet: {path}. Make it with: asyncflow db migrate")
    problems = anyio.run(_problems_of, session.settings)
    if problems:
        raise click.ClickException(f"{path} is damaged: {'; '.join(problems)}")
    click.echo(f"{path} is in order.")


@db.command("migrate")
@shared_options
@pass_session
def migrate(session: Session) -> None:
    """Create the database, or bring it to this version's layout."""
    import anyio

    anyio.run(_migrate, session.settings)
    click.echo(f"{session.settings.database} is up to date.")


async def _problems_of(settings: Settings) -> list[str]:
    from asyncflow.store.database import Store

    store = await Store.open(settings.database, durability=settings.durability)
    try:
        return list(await store.check())
    finally:
        await store.close()


async def _migrate(settings: Settings) -> None:
    from asyncflow.store.database import Store

    settings.home.mkdir(parents=True, exist_ok=True)
    store = await Store.open(settings.database, durability=settings.durability)
    await store.close()
