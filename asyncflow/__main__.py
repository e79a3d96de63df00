"""`asyncflow` and `python -m asyncflow`: nothing but the door to the commands."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code (listed in `cli.session.ExitCode`)."""
    from asyncflow.cli.app import cli  # here, so that importing this module costs nothing

    cli(prog_name="asyncflow")


if __name__ == "__main__":
    main()
