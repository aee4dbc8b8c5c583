"""A name in a config is a module name: ``vss_ray.<family>.<name>``, or a dotted path of the user's own."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from vss_ray.errors import ConfigError


def load(family: str, name: str) -> ModuleType:
    """Import ``vss_ray.<family>.<name>``, or ``name`` itself when it is a dotted path.

    Raises:
        ConfigError: There is no such module, or it is not a plug-in (it lacks ``Config`` or ``build``).
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(
            f"{family}: {name!r} is no module name; there is {', '.join(names(family))}, or a dotted path"
        )
    path = name if "." in name else f"vss_ray.{family}.{name}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise  # the module is there; something it imports is not
        raise ConfigError(
            f"{family}: there is no {name!r}; there is {', '.join(names(family))}, or your own module's dotted path"
        ) from error
    missing = [part for part in ("Config", "build") if not hasattr(module, part)]
    if missing:
        raise ConfigError(f"{family}: {path} is no plug-in: it lacks {' and '.join(missing)}; see README, 'Your own'")
    return module


def names(family: str) -> list[str]:
    """The plug-ins that the package brings, by name: public modules of the family's folder that have a ``Config``."""
    package = importlib.import_module(f"vss_ray.{family}")
    public = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
    return [name for name in public if hasattr(importlib.import_module(f"{package.__name__}.{name}"), "Config")]
