"""The command line: what it takes, whom it calls."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import tcworker
from tcworker import assemble, cli
from tcworker.cache_commands import command as cache_commands
from tcworker.cache_commands.command import CacheOptions
from tcworker.control import command as control
from tcworker.control.orders import CLEAR_CACHES, LIST_CACHES, PURGE_CACHE, Order
from tcworker.embedded.times import Times
from tcworker.host.local import LocalHost
from tcworker.local_run import main as local_run
from tcworker.local_run.command import RunOptions
from tcworker.server import main as server
from tcworker.server.options import ServerOptions

CONFIG = """\
rootURL: https://tc.example.com
clientId: me
accessToken: very-secret
certificate: '{"signature": "very-secret"}'
workerType: builder
workerId: one
headlessTasks: true
"""


class CommandCase(SynchronousTestCase):
    def command(self, *arguments: str) -> int:
        """Give the exit status; what is printed is in C{out} and C{err}."""
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            try:
                status = cli.main(arguments)
            except SystemExit as exit:
                status = exit.code if isinstance(exit.code, int) else 0
        self.out, self.err = out.getvalue(), err.getvalue()
        return status

    def config(self, text: str = CONFIG) -> str:
        path: str = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path


class TheCommand(CommandCase):
    def test_says_its_version(self) -> None:
        self.assertEqual(self.command("--version"), 0)
        self.assertEqual(self.out, f"tcworker {tcworker.__version__}\n")

    def test_lists_its_commands(self) -> None:
        self.assertEqual(self.command("--help"), 0)
        for name in ("run", "server", "worker", "control", "caches", "check", "schema"):
            self.assertIn(f"\n    {name} ", self.out)

    def test_what_it_does_not_understand_ends_with_64(self) -> None:
        for arguments in ((), ("walk",), ("run", "--capacity", "none"), ("check",)):
            self.assertEqual(self.command(*arguments), 64, arguments)
            self.assertIn("usage: tcworker", self.err)

    def test_loads_nothing_heavy_to_say_what_it_can(self) -> None:
        code = "import sys; from tcworker.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        show = "print(sorted({name.split('.')[0] for name in sys.modules} & {'twisted', 'yaml', 'treq', 'jsonschema'}))"
        ran = subprocess.run([sys.executable, "-c", code + show], capture_output=True, text=True, check=True)
        self.assertEqual(ran.stdout.splitlines()[-1], "[]")


class Serving(CommandCase):
    def setUp(self) -> None:
        self.given: list[ServerOptions] = []

        def serve(options: ServerOptions) -> int:
            self.given.append(options)
            return 3

        self.patch(server, "main", serve)

    def test_needs_no_arguments(self) -> None:
        self.assertEqual(self.command("server"), 3)
        self.assertEqual(self.given, [ServerOptions()])

    def test_passes_on_what_it_is_told(self) -> None:
        told = """--host ::1 --port 0 --data d --pulse amqp://b --client-id me --access-token-file f
            --static-clients c --no-worker --pool a/b --capacity 3 --worker-config w --root-url https://tc/
            --time poll=0.5 --time deadline-delay=1 --tunnel-secret-file t"""
        self.command("server", *told.split())
        times = Times(poll=0.5, deadline_delay=1)
        first = ServerOptions("::1", 0, "https://tc", "d", "amqp://b", times, "me", "f", "c", "t", False, "a/b", 3, "w")
        self.assertEqual(self.given, [first])

    def test_refuses_what_cannot_be(self) -> None:
        for arguments in ("--port 65536", "--port -1", "--port x", "--pool a", "--pool a/B", "--capacity 0", "x"):
            self.assertEqual(self.command("server", *arguments.split()), 64, arguments)
        self.assertEqual(self.given, [])

    def test_refuses_a_root_url_with_more_than_host_and_port(self) -> None:
        for url in (
            "tc.example.com",
            "ftp://tc",
            "http://",
            "http://a:0",
            "http://a:70000",
            "http://a/b",
            "http://u@a",
        ):
            self.assertEqual(self.command("server", "--root-url", url), 64, url)

    def test_takes_root_urls_of_every_kind_of_host(self) -> None:
        for url in ("https://tc.example.com", "http://192.0.2.1:9000", "http://[2001:db8::1]:9000"):
            self.command("server", "--root-url", url)
            self.assertEqual(self.given.pop().root_url, url)

    def test_says_which_times_there_are(self) -> None:
        self.assertEqual(self.command("server", "--time", "patience=1"), 64)
        for name in ("claim", "poll", "deadline-delay"):
            self.assertIn(f"{name},", self.err)

    def test_refuses_seconds_that_cannot_be(self) -> None:
        for seconds in ("", "x", "0", "-1", "nan", "inf", "1e12"):
            self.assertEqual(self.command("server", "--time", f"poll={seconds}"), 64, seconds)

    def test_a_password_of_the_broker_stays_out_of_its_text(self) -> None:
        self.command("server", "--pulse", "amqp://me:very-secret@broker")
        self.assertNotIn("very-secret", repr(self.given))


class Running(CommandCase):
    def setUp(self) -> None:
        self.given: list[RunOptions] = []

        def run(options: RunOptions) -> int:
            self.given.append(options)
            return 2

        self.patch(local_run, "main", run)

    def test_gives_on_what_it_was_told(self) -> None:
        options = "--capacity 3 --checkout src --caches kept --artifacts out --task-users --verbose"
        arguments = f"a.yml b.yml --param x=1 --param y=a=b {options}"
        self.assertEqual(self.command("run", *arguments.split()), 2)
        expected = RunOptions(["a.yml", "b.yml"], {"x": "1", "y": "a=b"}, 3, "out", "src", "kept", True, True)
        self.assertEqual(self.given, [expected])

    def test_refuses_parameters_that_no_template_can_name(self) -> None:
        for param in ("x", "=1", "a-b=1"):
            self.assertEqual(self.command("run", "a.yml", "--param", param), 64)

    def test_wants_either_files_or_a_configuration(self) -> None:
        self.assertEqual(self.command("run"), 64)
        self.assertEqual(self.command("run", "a.yml", "--config", "b.yml"), 64)

    def test_without_a_file_is_the_worker(self) -> None:
        missing = self.mktemp()
        self.assertEqual(self.command("run", "--config", missing), 64)
        self.assertIn(missing, self.err)

    def test_says_that_worker_runner_is_not_understood_yet(self) -> None:
        arguments = ("run", "--config", self.config(), "--with-worker-runner", "--worker-runner-protocol-pipe", "/p")
        self.assertEqual(self.command(*arguments), 64)
        self.assertIn("worker-runner", self.err)


class Controlling(CommandCase):
    def setUp(self) -> None:
        self.given: list[Any] = []

        def call(*given: Any) -> int:
            self.given.append(given)
            return 3

        self.patch(control, "main", call)

    def test_gives_on_what_it_was_told(self) -> None:
        self.assertEqual(self.command("control", "drain", "--config", "a.yml", "--config", "b.yml"), 3)
        self.command("control", "stop", "--seconds", "2.5", "--state-dir", "state")
        first = (Order("drain"), ["a.yml", "b.yml"], None)
        self.assertEqual(self.given, [first, (Order("stop", 2.5), [], "state")])

    def test_refuses_what_cannot_be(self) -> None:
        for arguments in (
            "--state-dir s",
            "walk --state-dir s",
            "stop",
            "stop --state-dir s --config c",
            "stop --seconds -1 --state-dir s",
            "status --seconds 5 --state-dir s",
        ):
            self.assertEqual(self.command("control", *arguments.split()), 64, arguments)
        self.assertEqual(self.given, [])


class LookingAfterCaches(CommandCase):
    """C{tcworker caches}."""

    def setUp(self) -> None:
        self.given: list[CacheOptions] = []

        def look_after(options: CacheOptions) -> int:
            self.given.append(options)
            return 3

        self.patch(cache_commands, "main", look_after)

    def test_gives_on_what_it_was_told(self) -> None:
        for arguments, expected in (
            ("list", CacheOptions(Order(LIST_CACHES), [])),
            ("list --json --state-dir s", CacheOptions(Order(LIST_CACHES), [], "s", True)),
            ("purge one --config a --config b", CacheOptions(Order(PURGE_CACHE, cache="one"), ["a", "b"])),
            ("clear --config a", CacheOptions(Order(CLEAR_CACHES), ["a"])),
        ):
            self.assertEqual(self.command("caches", *arguments.split()), 3)
            self.assertEqual(self.given.pop(), expected)

    def test_refuses_what_cannot_be(self) -> None:
        for arguments in ("", "walk", "purge", "purge a b", "clear --json", "list --config c --state-dir s"):
            self.assertEqual(self.command("caches", *arguments.split()), 64, arguments)
        self.assertEqual(self.given, [])


class CachesOfNobody(CommandCase):
    """C{tcworker caches}, where nothing was ever kept."""

    def test_a_folder_that_no_worker_has(self) -> None:
        self.assertEqual(self.command("caches", "clear", "--state-dir", "nothing"), 69)
        self.assertIn(f"no worker has kept anything in {os.path.abspath('nothing')}", self.err)
        self.assertFalse(os.path.exists("nothing"))

    def test_settings_say_which_folder_is_meant(self) -> None:
        path = self.config(CONFIG + "stateDir: of-the-file\n")
        self.assertEqual(self.command("caches", "list", "--config", path), 69)
        self.assertIn(os.path.abspath("of-the-file"), self.err)

    def test_without_any_it_is_that_of_tcworker_run(self) -> None:
        self.patch(os, "environ", {**os.environ, "XDG_CACHE_HOME": "/nonexist"})
        self.assertEqual(self.command("caches", "list"), 69)
        self.assertIn("/nonexist/tcworker/state", self.err)


class CallingNobody(CommandCase):
    """C{tcworker control}, where no worker is."""

    def test_the_settings_say_which_one_is_called(self) -> None:
        path = self.config(CONFIG + "stateDir: of-the-file\n")
        self.assertEqual(self.command("control", "status", "--config", path), 69)
        self.assertIn(os.path.abspath("of-the-file"), self.err)

    def test_or_who_calls(self) -> None:
        self.assertEqual(self.command("control", "status", "--state-dir", "another"), 69)
        self.assertIn(os.path.abspath("another"), self.err)

    def test_settings_that_cannot_be_read(self) -> None:
        self.assertEqual(self.command("control", "status", "--config", "/nonexist.yml"), 64)
        self.assertIn("/nonexist.yml", self.err)


class Checking(CommandCase):
    def test_shows_each_setting_and_its_origin(self) -> None:
        path = self.config()
        self.assertEqual(self.command("check", "--config", path), 0)
        lines = {line.split(":")[0]: line for line in self.out.splitlines()}
        self.assertRegex(lines["workerType"], rf'^workerType: "builder" +# {path}$')
        self.assertRegex(lines["capacity"], "^capacity: 1 +# default$")

    def test_the_later_file_wins(self) -> None:
        first, second = self.config(), self.config("capacity: 7\n")
        self.command("check", "--config", first, "--config", second)
        self.assertRegex(self.out, rf"\ncapacity: 7 +# {second}\n")

    def test_shows_no_secret(self) -> None:
        extensions = "features: [env]\nhost: local\n"
        self.command("check", "--config", self.config(CONFIG + extensions))
        self.assertIn("accessToken", self.out)
        self.assertNotIn("very-secret", self.out + self.err)

    def test_says_what_has_no_effect(self) -> None:
        self.command("check", "--config", self.config())
        self.assertIn("# headlessTasks: no effect here, because tasks of this worker", self.out)

    def test_shows_what_stands_in_an_object(self) -> None:
        self.command("check", "--config", self.config(CONFIG + "logs: {maxMegabytes: 7}\n"))
        self.assertRegex(self.out, r'\nlogs: \{"maxMegabytes": 7, "mask": \[\]\} +# ')

    def test_shows_what_follows_where_nothing_is_set(self) -> None:
        for euid, own in ((0, "true"), (1000, "false")):
            self.patch(os, "geteuid", lambda euid=euid: euid)
            self.command("check", "--config", self.config())
            self.assertRegex(self.out, rf"\ntaskUsers: {own} +# default\n")

    def test_shows_no_secret_that_is_masked_in_logs(self) -> None:
        text = CONFIG + "logs: {mask: [hidden-1, {pattern: hidden-2}]}\nextensions: {a.B: {c: hidden-3}}\n"
        self.command("check", "--config", self.config(text))
        self.assertNotIn("hidden", self.out + self.err)

    def test_leaves_open_what_a_host_will_bring(self) -> None:
        text = "host: tests.test_assemble.ManagedHost\nclientId: me\nworkerType: builder\n"
        self.assertEqual(self.command("check", "--config", self.config(text)), 0)
        self.assertIn('\nworkerType: "builder" ', self.out)
        open_ones = [line.split(":")[0] for line in self.out.splitlines() if "still open" in line]
        self.assertEqual(open_ones, ["# rootURL", "# accessToken", "# workerId"])
        self.assertNotIn("\nworkerId:", self.out)

    def test_leaves_nothing_open_without_such_a_host(self) -> None:
        self.assertEqual(self.command("check", "--config", self.config("clientId: me\n")), 73)
        self.assertIn("workerId: found nothing", self.err)

    def test_makes_no_part_of_a_worker(self) -> None:
        self.patch(assemble, "Worker", None)
        self.patch(LocalHost, "__init__", None)
        self.assertEqual(self.command("check", "--config", self.config()), 0)

    def test_lists_all_faults(self) -> None:
        status = self.command("check", "--config", self.config(CONFIG + "capacity: many\nidleTimeoutSecs: -1\n"))
        self.assertEqual(status, 73)
        self.assertEqual(len(self.err.splitlines()), 2)

    def test_lists_what_only_a_platform_or_a_connection_would_refuse(self) -> None:
        path = self.config(CONFIG + "taskUser: nosuch\ncaBundle: /nonexist\n")
        for command in ("check", "worker"):
            self.assertEqual(self.command(command, "--config", path), 73)
            self.assertEqual([line.split(": ")[1] for line in self.err.splitlines()], ["taskUser", "caBundle"])

    def test_knows_a_class_that_is_not_there(self) -> None:
        self.assertNotEqual(self.command("check", "--config", self.config(CONFIG + "platforms: [no.such.Thing]\n")), 0)
        self.assertIn("platforms[0]", self.err)


class Schemas(CommandCase):
    def test_lists_the_platforms(self) -> None:
        self.assertEqual(self.command("schema"), 0)
        self.assertEqual(self.out, "native\n")

    def test_prints_what_a_payload_may_be(self) -> None:
        self.assertEqual(self.command("schema", "native"), 0)
        schema = json.loads(self.out)
        self.assertEqual(schema["title"], "The payload of a task for the platform native")
        self.assertIn("osGroups", schema["properties"])

    def test_as_a_worker_with_these_settings_would_have_it(self) -> None:
        self.command("schema", "native", "--config", self.config(CONFIG + "features: [env, max-run-time]\n"))
        self.assertNotIn("osGroups", json.loads(self.out)["properties"])

    def test_prints_what_a_verdict_is(self) -> None:
        self.assertEqual(self.command("schema", "verdict"), 0)
        self.assertEqual(json.loads(self.out)["title"], "Why a run was not completed")

    def test_refuses_what_it_cannot_print(self) -> None:
        self.assertEqual(self.command("schema", "windows"), 64)
        self.assertEqual(self.err, "tcworker schema: found windows, expected native\n")
        self.assertEqual(self.command("schema", "--config", self.config("capacity: many\n")), 73)
        self.assertIn("capacity", self.err)
