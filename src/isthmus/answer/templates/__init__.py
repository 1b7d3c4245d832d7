"""The templates of the page and its pictures, and the one way to fill them in."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isthmus.answer.templates.lettering import chip, is_https, number, visible, words


def rendered(name: str, **values: Any) -> Markup:
    """A template filled in: every text made visible, then escaped. A name the template does not get is an error."""
    return Markup(environment().get_template(name).render(**values))  # noqa: S704 - rendered with autoescape


@cache
def environment() -> Environment:
    """Where templates come from. `finalize` runs before escaping, so no expression can forget it."""
    made = Environment(
        autoescape=True,
        finalize=visible,
        loader=PackageLoader("isthmus.answer", "templates"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters.update(chip=chip, number=number, words=words)
    made.tests["https"] = is_https
    return made
