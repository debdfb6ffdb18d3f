"""Server configurations: jinja2 templates in ``templates/``, rendered into the state folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "templates"


@cache
def _environment() -> Any:
    # Only a start renders: the commands that ask a running stack do without the import.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=False,
        autoescape=False,  # noqa: S701  (property files, not HTML; every value is ours)
    )


def render(template: str, target: Path, *, mode: int = 0o600, **values: Any) -> Path:
    """Renders ``templates/<template>.j2`` to ``target``, readable by the owner only, and returns ``target``.

    A missing value raises jinja2.UndefinedError.
    """
    text = _environment().get_template(f"{template}.j2").render(**values)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=mode)
    target.write_text(text)
    return target
