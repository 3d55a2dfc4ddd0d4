"""Puts a worker together: the one place where names in the configuration become classes.

Somebody's own host, platform or feature is named C{package.module.Class}. Hosts are called with C{(reactor, values)},
the settings given so far by their keys; platforms and features with C{(reactor, config)}.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface.interface import InterfaceClass

from tcworker.client.connections import whom_to_trust
from tcworker.config import FEATURES, Config, Merged, Source, fitting, lay_over, missing, parse, raise_faults, so_far
from tcworker.config_privacy import keep_private
from tcworker.config_schema import KEYS
from tcworker.errors import ConfigError, Fault, ProcessStatus
from tcworker.interfaces import JSON, IFeature, IHost, IPlatform
from tcworker.worker import Parts, Worker

LOCAL = "local"

HOSTS = {LOCAL: "tcworker.host.local.LocalHost"}

PLATFORMS = {"native": "tcworker.engine.native.platform.NativePlatform"}

BUILT_IN_FEATURES = {
    "env": "tcworker.feature.env.EnvFeature",
    "artifacts": "tcworker.feature.artifacts.feature.ArtifactsFeature",
    "max-run-time": "tcworker.feature.max_run_time.MaxRunTimeFeature",
    "idle-output": "tcworker.feature.idle_output.IdleOutputFeature",
    "on-exit-status": "tcworker.feature.on_exit_status.OnExitStatusFeature",
    "os-groups": "tcworker.feature.os_groups.OSGroupsFeature",
    "run-as-current-user": "tcworker.feature.run_as_current_user.RunAsCurrentUserFeature",
    "resource-monitor": "tcworker.feature.resource_monitor.feature.ResourceMonitorFeature",
    "metadata": "tcworker.feature.metadata.MetadataFeature",
    "mounts": "tcworker.feature.mounts.feature.MountsFeature",
    "not-here": "tcworker.feature.not_here.NotHereFeature",
}

_log = Logger()


@dataclass(frozen=True)
class Checked:
    """Settings in which no fault was found before the host has been asked.

    @ivar host: the class that they name.
    @ivar missing: the required keys that the host has still to bring.
    """

    settings: Merged
    host: Any
    missing: Sequence[str]


def check_sources(reactor: IReactorTime, sources: Sequence[Source]) -> Checked:
    """Lay sources one over the other and look at all values and names.

    Raises L{ConfigError} with all faults that can be known before the host has been asked. Those that only platforms
    and features know are found by making them; they do nothing before they are asked to.
    """
    given = lay_over(sources)
    unread = [fault for source in sources for fault in source.faults]
    # Only a host that adds something can still bring what is missing, or a use for what has none.
    local = given.values.get("host", LOCAL) == LOCAL
    # What is missing may well stand in the file that cannot be read.
    whole = local and not unread
    faults, status = _faults(given, whole)
    classes = _Classes(given, whole=whole)
    making = _Making(reactor, so_far(fitting(given)), given)
    further = [*classes.faults, *(making.all_faults(classes) if local else ())]
    # A value of the wrong type has been told already.
    known = {fault.place for fault in faults}
    faults = [*unread, *faults, *(fault for fault in further if fault.place not in known)]
    if faults:
        raise ConfigError(faults, ProcessStatus.UNUSABLE_CONFIG if unread else status)
    return Checked(given, classes.host, missing(given.values))


def new_worker(reactor: IReactorTime, sources: Sequence[Source], features: Sequence[IFeature] = ()) -> Worker:
    """Make a worker, to be added to any application.

    Raises L{ConfigError} with all faults that can be known before the host has been asked. What the host says then goes
    over all sources.

    @param features: objects of somebody's own, beside those that the settings name.
    """
    checked = check_sources(reactor, sources)
    # Only now: who is refused gets the faults alone.
    for warning in keep_private(sources, so_far(checked.settings)):
        _log.warn("{text}", text=warning)

    def configure(values: Mapping[str, Any]) -> Config:
        return parse([*sources, Source("host", values)])

    def assemble(config: Config) -> Parts:
        parts = make_parts(reactor, config)
        return Parts(parts.platforms, [*parts.features, *features])

    return Worker(reactor, checked.host(reactor, checked.settings.values), configure, assemble)


def make_parts(reactor: IReactorTime, config: Config) -> Parts:
    """Make the platforms and features that a configuration names. Raises L{ConfigError} with the faults of all."""
    named = {"platforms": config.platforms, "features": config.features, "host": config.host}
    settings = Merged({**named, "extensions": config.extensions}, config.origins)
    # Once more, for the host may have named others.
    classes = _Classes(settings)
    making = _Making(reactor, config, settings)
    parts = Parts(making.make(classes.platforms), making.make(classes.features))
    making.check_bundle()
    if classes.faults or making.faults:
        raise ConfigError([*classes.faults, *making.faults])
    return parts


class _Making:
    """Makes parts, and collects what they say against the configuration.

    @param settings: knows where each value came from.
    """

    def __init__(self, reactor: IReactorTime, config: Config, settings: Merged) -> None:
        self._reactor = reactor
        self._config = config
        self._settings = settings
        self.faults: list[Fault] = []

    def make(self, classes: Sequence[Any]) -> list[Any]:
        """Make each; those that refuse the configuration are missing in the answer."""
        made: list[Any] = []
        for new in classes:
            self._try(lambda new=new: made.append(new(self._reactor, self._config)))  # type: ignore[misc]  # bound now
        return made

    def check_bundle(self) -> None:
        """See whether connections will find certificates."""
        self._try(lambda: whom_to_trust(self._config.ca_bundle))

    def all_faults(self, classes: _Classes) -> list[Fault]:
        """Give the faults that making everything brings up; what was made is thrown away."""
        for key, found in (("platforms", classes.platforms), ("features", classes.features)):
            for new in found:
                try:
                    self.make([new])
                except Exception as error:  # whatever somebody's class may raise; other faults shall be told, too
                    problem = f"{new.__module__}.{new.__qualname__}, which cannot be made"
                    text = f"{problem} ({type(error).__name__}: {error})"
                    self.faults.append(Fault(self._settings.locate([key]), text, "a class that takes these settings"))
        self.check_bundle()
        return self.faults

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except ConfigError as error:
            self.faults += [self._located(fault) for fault in error.faults]

    def _located(self, fault: Fault) -> Fault:
        # Who refuses a value knows its key, not the file that it came from.
        known = fault.place.partition(".")[0] in KEYS
        return replace(fault, place=self._settings.locate([fault.place])) if known else fault


def _faults(given: Merged, whole: bool) -> tuple[list[Fault], ProcessStatus]:
    try:
        raise_faults(given, whole=whole)
    except ConfigError as error:
        return list(error.faults), error.exit_status
    return [], ProcessStatus.INVALID_CONFIG


class _Classes:
    """The classes that settings name, and the faults of those that cannot be had; settings may be of the wrong type."""

    def __init__(self, settings: Merged, *, whole: bool = True) -> None:
        self._settings = settings
        self.faults: list[Fault] = []
        values = {"host": LOCAL, "platforms": ["native"], "features": FEATURES, **settings.values}
        self.host = self._find(["host"], values["host"], HOSTS, IHost)
        self.platforms = self._find_all("platforms", values["platforms"], PLATFORMS, IPlatform)
        self.features = self._find_all("features", values["features"], BUILT_IN_FEATURES, IFeature)
        if whole:
            self._find_unused(values)

    def _find_all(self, key: str, names: JSON, built_in: Mapping[str, str], interface: InterfaceClass) -> list[Any]:
        found = (self._find([key, index], name, built_in, interface) for index, name in enumerate(_items(names)))
        return [each for each in found if each is not None]

    def _find(self, path: list[str | int], name: JSON, built_in: Mapping[str, str], interface: InterfaceClass) -> Any:
        if not isinstance(name, str):
            return None
        found, problem = _import(built_in.get(name, name))
        if not problem and not (isinstance(found, type) and interface.implementedBy(found)):
            problem = f", which implements no {interface.getName()}"
        if problem:
            expected = f"{' or '.join(built_in)}, or package.module.Class of an {interface.getName()}"
            self.faults.append(Fault(self._settings.locate(path), f"{name}{problem}", expected))
        return None if problem else found

    def _find_unused(self, values: Mapping[str, Any]) -> None:
        used = [values["host"], *_items(values["platforms"]), *_items(values["features"])]
        for name in _items(values.get("extensions")):
            if name not in used:
                place = self._settings.locate(["extensions", name])
                self.faults.append(
                    Fault(place, "settings of a class that nothing names", "host, platforms or features to name it")
                )


def _import(name: str) -> tuple[Any, str]:
    """Give what a dotted name stands for, and what is wrong with the name otherwise."""
    module, _, attribute = name.rpartition(".")
    if not module:
        return None, ", which is not built in"
    try:
        return getattr(importlib.import_module(module), attribute), ""
    except Exception as error:  # whatever somebody's module may raise while it is imported
        return None, f", which cannot be imported ({type(error).__name__}: {error})"


def _items(value: JSON) -> Sequence[Any]:
    return list(value) if isinstance(value, list | tuple | dict) else []
