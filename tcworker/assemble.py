"""Puts a worker together: the one place where names in the configuration become classes.

Somebody's own host, platform or feature is named C{package.module.Class}. Hosts are called with C{(reactor, values)},
the settings given so far by their keys; platforms and features with C{(reactor, config)}.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface.interface import InterfaceClass

from tcworker.config import FEATURES, Config, Merged, Source, parse, parse_some
from tcworker.errors import ConfigError, Fault
from tcworker.interfaces import IFeature, IHost, IPlatform
from tcworker.worker import Parts, Worker

HOSTS = {"local": "tcworker.host.local.LocalHost"}

PLATFORMS = {"native": "tcworker.engine.native.platform.NativePlatform"}

BUILT_IN_FEATURES = {
    "env": "tcworker.feature.env.EnvFeature",
    "artifacts": "tcworker.feature.artifacts.ArtifactsFeature",
    "max-run-time": "tcworker.feature.max_run_time.MaxRunTimeFeature",
}

_log = Logger()


def new_worker(reactor: IReactorTime, sources: Sequence[Source]) -> Worker:
    """Make a worker, to be added to any application.

    Raises L{ConfigError} with all faults that can be known before the host has been asked. What the host says then goes
    over all sources.
    """
    given = parse_some(sources)
    classes = _Classes(given)
    if given.values.get("host", "local") == "local":
        parse(sources)
    for warning in (warning for source in sources for warning in source.warnings):
        _log.warn("{warning}", warning=warning)

    def configure(values: Mapping[str, Any]) -> Config:
        return parse([*sources, Source("host", values)])

    return Worker(reactor, classes.host(reactor, given.values), configure, lambda config: make_parts(reactor, config))


def make_parts(reactor: IReactorTime, config: Config) -> Parts:
    """Make the platforms and features that a configuration names. Raises L{ConfigError}."""
    named = {"platforms": list(config.platforms), "features": list(config.features), "host": config.host}
    classes = _Classes(Merged({**named, "extensions": config.extensions}, config.origins))
    return Parts(
        platforms=[make(reactor, config) for make in classes.platforms],
        features=[make(reactor, config) for make in classes.features],
    )


class _Classes:
    """The classes that settings name. Raises L{ConfigError} for all that cannot be had."""

    def __init__(self, settings: Merged) -> None:
        self._settings = settings
        self._faults: list[Fault] = []
        values = {"host": "local", "platforms": ["native"], "features": FEATURES, **settings.values}
        self.host = self._find(["host"], values["host"], HOSTS, IHost)
        self.platforms = self._find_all("platforms", values["platforms"], PLATFORMS, IPlatform)
        self.features = self._find_all("features", values["features"], BUILT_IN_FEATURES, IFeature)
        named = [values["host"], *values["platforms"], *values["features"]]
        self._faults.extend(self._unused(values.get("extensions", {}), named))
        if self._faults:
            raise ConfigError(self._faults)

    def _find_all(
        self, key: str, names: Sequence[str], built_in: Mapping[str, str], interface: InterfaceClass
    ) -> list[Any]:
        return [self._find([key, index], name, built_in, interface) for index, name in enumerate(names)]

    def _find(self, path: list[str | int], name: str, built_in: Mapping[str, str], interface: InterfaceClass) -> Any:
        module, _, attribute = built_in.get(name, name).rpartition(".")
        expected = f"{' or '.join(built_in)}, or package.module.Class of an {interface.getName()}"
        try:
            found = getattr(importlib.import_module(module), attribute) if module else None
        except Exception as error:  # whatever somebody's module may raise while it is imported
            self._faults.append(
                Fault(self._settings.locate(path), f"{name}, which cannot be imported ({error!r})", expected)
            )
            return None
        if not isinstance(found, type) or not interface.implementedBy(found):
            why = f", which implements no {interface.getName()}" if module else ""
            self._faults.append(Fault(self._settings.locate(path), name + why, expected))
        return found

    def _unused(self, extensions: Mapping[str, Any], named: Sequence[str]) -> Iterator[Fault]:
        for name in extensions:
            if name not in named:
                place = self._settings.locate(["extensions", name])
                yield Fault(place, "settings of a class that nothing names", f"one of {', '.join(named)}")
