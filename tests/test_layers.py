"""Imports of tcworker point downwards only."""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import tcworker
from tests import layers


class TheImports(SynchronousTestCase):
    """What stands in the package now."""

    def setUp(self) -> None:
        self.modules = layers.read_modules(Path(tcworker.__file__).parent)
        self.imports = layers.all_imports(self.modules)

    def assert_none(self, breaches: list[layers.Import]) -> None:
        self.assertEqual([str(breach) for breach in breaches], [])

    def test_every_module_has_a_layer(self) -> None:
        self.assertEqual([name for name in self.modules if layers.layer(name) is None], [])

    def test_the_tables_name_nothing_that_is_not_there(self) -> None:
        named = {*layers.LAYERS, *layers.UNITS, *layers.FRAME, *layers.COMMANDS, *layers.FOR_EMBEDDED}
        self.assertEqual((named | layers.MACHINES | layers.PURE) - self.modules.keys(), set())

    def test_none_points_upwards(self) -> None:
        self.assert_none(layers.upward(self.imports))

    def test_no_sibling_knows_another(self) -> None:
        self.assert_none(layers.sideways(self.imports))

    def test_there_is_no_cycle(self) -> None:
        self.assertEqual(layers.cycle(self.imports), [])

    def test_only_commands_know_the_global_reactor(self) -> None:
        self.assert_none(layers.reactors(self.imports))

    def test_the_launcher_needs_nothing_but_python(self) -> None:
        self.assert_none(layers.strangers_of_launcher(self.imports))

    def test_worker_and_embedded_taskcluster_share_only_what_is_pure(self) -> None:
        self.assert_none(layers.shared_with_embedded(self.imports))

    def test_machines_know_no_twisted(self) -> None:
        self.assert_none(layers.impure(self.imports))

    def test_one_module_spawns(self) -> None:
        self.assertEqual(set(layers.spawners(self.modules)) - {"tcworker.process"}, set())


class TheFinders(SynchronousTestCase):
    """Each finder finds what it is for."""

    def imports(self, **sources: str) -> list[layers.Import]:
        modules = {f"tcworker.{name.replace('__', '.')}": ast.parse(text) for name, text in sources.items()}
        return layers.all_imports(modules)

    def importers(self, breaches: list[layers.Import]) -> list[str]:
        return [breach.importer for breach in breaches]

    def test_an_import_upwards(self) -> None:
        imports = self.imports(errors="import tcworker.config", config="import tcworker.errors")
        self.assertEqual(self.importers(layers.upward(imports)), ["tcworker.errors"])

    def test_a_lazy_import_and_one_for_types_count(self) -> None:
        lazy = "def f():\n    from tcworker.worker import Worker"
        typed = "if TYPE_CHECKING:\n    from tcworker import worker"
        imports = self.imports(retry=lazy, waiting=typed, worker="")
        self.assertEqual(self.importers(layers.upward(imports)), ["tcworker.retry", "tcworker.waiting"])

    def test_an_unknown_module(self) -> None:
        self.assertIsNone(layers.layer("tcworker.utils"))
        self.assertIsNone(layers.layer("tcworker.configuration"))

    def test_a_module_of_a_family(self) -> None:
        self.assertEqual(layers.layer("tcworker.state_folder"), layers.layer("tcworker.state"))
        self.assertEqual(layers.layer("tcworker.worker_log"), 1)

    def test_siblings(self) -> None:
        imports = self.imports(
            host__aws="from tcworker.host.local import LocalHost",
            host__runner__host="from tcworker.host.runner.protocol import Lines",
            engine__docker="from tcworker.engine.native import platform",
            feature__env="from tcworker.feature.artifacts import ArtifactsFeature",
            task__service="from tcworker.task.context import TaskContext",
        )
        self.assertEqual(
            self.importers(layers.sideways(imports)),
            ["tcworker.host.aws", "tcworker.engine.docker", "tcworker.feature.env"],
        )

    def test_a_cycle(self) -> None:
        imports = self.imports(task__log="import tcworker.task.context", task__context="import tcworker.task.log")
        self.assertIn("tcworker.task.log", layers.cycle(imports))

    def test_the_reactor(self) -> None:
        at_the_top = "from twisted.internet import reactor, defer"
        lazy = f"def f():\n    {at_the_top}"
        imports = self.imports(tap=lazy, cli=at_the_top, local_run__command=lazy, worker=lazy)
        self.assertEqual(self.importers(layers.reactors(imports)), ["tcworker.cli", "tcworker.worker"])

    def test_what_the_launcher_may_not_have(self) -> None:
        imports = self.imports(
            launcher__main="import os\nimport twisted\nfrom tcworker.launcher import sink\nimport tcworker.retry"
        )
        self.assertEqual(
            [breach.imported for breach in layers.strangers_of_launcher(imports)], ["twisted", "tcworker.retry"]
        )

    def test_what_the_embedded_taskcluster_may_not_share(self) -> None:
        imports = self.imports(
            embedded__queue="from tcworker.client.scopes import satisfies\nfrom tcworker.client.http import HTTP",
            worker="from tcworker.embedded.taskcluster import Taskcluster",
            local_run__command="from tcworker.embedded.taskcluster import Taskcluster",
        )
        self.assertEqual(
            self.importers(layers.shared_with_embedded(imports)), ["tcworker.worker", "tcworker.embedded.queue"]
        )

    def test_a_machine_that_waits(self) -> None:
        imports = self.imports(lifecycle="import automat\nimport typing\nfrom twisted.internet.defer import Deferred")
        self.assertEqual([breach.imported for breach in layers.impure(imports)], ["twisted.internet.defer"])

    def test_a_module_that_spawns(self) -> None:
        modules = {"tcworker.worker": ast.parse("def f(reactor):\n    reactor.spawnProcess(1, 2)"), "x": ast.parse("")}
        self.assertEqual(layers.spawners(modules), ["tcworker.worker"])
