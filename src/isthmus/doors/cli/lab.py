import typer

app = typer.Typer(help="The simulated company.")


@app.callback()
def _lab() -> None:
    """The simulated company."""
