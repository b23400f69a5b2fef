"""`tinyseg data`."""

import typer

data = typer.Typer(no_args_is_help=True, help="Fetch, describe, check and make datasets.")
