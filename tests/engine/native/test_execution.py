"""What native commands see, print and leave."""

from __future__ import annotations

import os
import resource
import signal
import stat
from dataclasses import replace
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol

from tcworker.engine.native import launcher
from tcworker.engine.native.task_user import TaskUser
from tcworker.engine.native.users import OneUser
from tcworker.errors import MalformedPayload, NamingConflict, ResourceUnavailable
from tcworker.interfaces import ExitStatus, Size
from tcworker.launcher.sink import read_tail
from tcworker.testing.context import FakeTaskContext
from tcworker.testing.engines.traces import processes_with
from tcworker.testing.memory import LentFile
from tests.definitions import shell
from tests.engine.native.harness import NativeCase, names_in
from tests.surroundings import until


def printed(context: FakeTaskContext) -> list[str]:
    """The lines of a log that the task printed itself."""
    return [line for line in context.log.text.splitlines() if not line.startswith("[taskcluster")]


def said(context: FakeTaskContext) -> list[str]:
    """The worker's own lines of a log, without what stands before each."""
    return [line.partition("] ")[2] for line in context.log.text.splitlines() if line.startswith("[taskcluster")]


class CommandTests(NativeCase):
    """Commands, one after the other."""

    async def test_commands_run_in_order_until_one_fails(self):
        context, result = await self.run_task(shell("echo one", "echo two; exit 3", "echo three"))
        self.assertEqual(printed(context), ["one", "two"])
        self.assertFalse(result.success)
        self.assertEqual([command.exit for command in result.commands], [ExitStatus(0), ExitStatus(3)])

    async def test_the_log_tells_what_was_run_and_how_it_ended(self):
        context, _ = await self.run_task({"command": [["sh", "-c", "echo 'a b'; exit 3"]]})
        lines = said(context)
        self.assertEqual(lines[0], """Executing command 0: sh -c 'echo '"'"'a b'"'"'; exit 3'""")
        labels = [line.partition(":")[0] for line in lines[1:]]
        self.assertEqual([label.strip() for label in labels][:2], ["Exit Code", "User Time"])
        self.assertEqual(len({len(label) for label in labels}), 1, "labels are aligned on the right")
        self.assertIn("Exit Code: 3", lines[1])
        self.assertIn("Result: FAILED", lines[-1])

    async def test_they_may_have_as_many_files_open_as_the_worker_might_when_it_started(self):
        self.patch(launcher, "FILES_AT_START", 333)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertNotEqual(soft, 333)
        context, _ = await self.run_task(shell("ulimit -Sn; ulimit -Hn"))
        self.assertEqual(printed(context), ["333", "unlimited" if hard == resource.RLIM_INFINITY else str(hard)])

    async def test_lines_of_the_worker_come_after_the_output(self):
        context, _ = await self.run_task(shell("printf 'no end of line'", "echo x"))
        lines = context.log.text.splitlines()
        self.assertEqual(lines[1], "no end of line")
        self.assertIn("Exit Code: 0", lines[2])

    async def test_signals_have_names(self):
        context, result = await self.run_task(shell("kill -SEGV $$"))
        self.assertEqual(result.commands[0].exit, ExitStatus(None, signal.SIGSEGV))
        self.assertIn("killed by SIGSEGV", context.log.text)

    async def test_usage_is_measured(self):
        _, result = await self.run_task(shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.05"))
        command = result.commands[0]
        self.assertGreater(command.user + command.system, 0)
        self.assertGreaterEqual(command.wall, 0.05)
        self.assertFalse(result.out_of_memory)

    async def test_the_peak_of_memory_is_the_command_s_own(self):
        """Not that of whoever starts it."""
        small = ["/bin/true"]
        large = ["sh", "-c", "head -c 50M /dev/zero | tail -c 50M"]
        for settings in ({}, {"task_users": True}) if os.geteuid() == 0 else ({},):
            _, result = await self.run_task({"command": [small, large]}, **settings)
            first, second = result.commands
            self.assertEqual((first.peak, second.least_peak < 40 << 20), (0, True))
            self.assertGreater(second.peak, 50 << 20)
            self.assertLess(second.peak, 60 << 20)

    async def test_what_a_command_leaves_serves_the_next(self):
        marker = f"marker-{uuid4().hex}"
        server = f"sh -c 'while [ ! -e asked ]; do sleep 0.01; done; echo served; exec sleep 3600' {marker} &"
        client = "touch asked; while ! grep -q up answer; do sleep 0.01; done"
        context, result = await self.run_task(
            shell(server.replace("echo served", "echo served; echo up > answer"), f": > answer; {client}")
        )
        self.assertTrue(result.success)
        self.assertIn("served", printed(context))
        self.assertEqual(processes_with(marker), [])

    async def test_command_that_does_not_exist(self):
        context, result = await self.run_task({"command": [["no-such-program", "x"], ["true"]]})
        self.assertFalse(result.success)
        self.assertIn("no-such-program was not found in PATH /usr/local/bin:", result.commands[0].problem)
        self.assertIn(result.commands[0].problem, context.log.text)
        self.assertEqual(len(result.commands), 1)

    async def test_command_that_is_not_executable(self):
        payload = {"command": [["sh", "-c", "echo > plain"], ["./plain"]]}
        context, result = await self.run_task(payload)
        self.assertIn("./plain is not executable", result.commands[1].problem)
        self.assertIn("[taskcluster:error] Command could not be started: ./plain is not executable", context.log.text)

    async def test_script_without_its_interpreter(self):
        _, result = await self.run_task({"command": [["sh", "-c", "printf '#!/no/such\\n' > s; chmod +x s"], ["./s"]]})
        self.assertIn("interpreter", result.commands[1].problem)

    async def test_program_in_a_folder_of_the_path_that_comes_later(self):
        platform = await self.new_platform()
        make = "mkdir a b; printf '#!/bin/sh\necho found' > b/tool; echo > a/tool; chmod +x b/tool"
        context = self.new_context({"command": [["sh", "-c", make], ["tool"]]})
        engine = platform.new_engine(context)
        engine.set_env("PATH", "a:b:/usr/bin:/bin")
        execution = await engine.start()
        result = await execution.when_finished()
        self.assertTrue(result.success, context.log.text)
        self.assertEqual(printed(context), ["found"])
        await result.dispose()

    async def test_command_after_the_folder_is_gone(self):
        _, result = await self.run_task(shell('rmdir "$PWD"', "exit 0"))
        self.assertIn("folder cannot be entered", result.commands[1].problem)

    async def test_process_that_cannot_be_set_up(self):
        """That is not the task's fault."""
        platform = await self.new_platform()
        means = platform._means
        platform._means = replace(means, users=OneUser(TaskUser("x", (os.getuid(), os.getgid(), (-2,)))))
        with self.assertRaises(ResourceUnavailable) as caught:
            _, execution = await self.start(shell("exit 0"), platform)
            await execution.when_finished()
        self.assertIn("could not be set up", str(caught.exception))
        self.assertEqual(names_in(self.tasks_dir), [])

    async def test_arguments_of_any_kind(self):
        arguments = ["", " ", "ü", "\n", "*", "\udcff"]
        context, _ = await self.run_task({"command": [["printf", "<%s>", *arguments]]})
        self.assertIn(b"<><\x20><\xc3\xbc><\n><*><\xff>", context.log.data)

    async def test_arguments_that_cannot_be(self):
        platform = await self.new_platform()
        with self.assertRaises(MalformedPayload) as caught:
            platform.new_engine(self.new_context({"command": [["a", "b\0"], ["\ud800"]]}))
        self.assertIn("payload.command[0][1]", str(caught.exception))
        self.assertIn("payload.command[1][0]", str(caught.exception))


class OutputTests(NativeCase):
    """From the pipe to the log."""

    async def test_opening_the_output_by_name_harms_nothing(self):
        context, result = await self.run_task(
            shell("echo first; echo second > /dev/stderr; echo third > /dev/stdout; echo fourth | tee /dev/stderr")
        )
        self.assertTrue(result.success, context.log.text)
        self.assertEqual(printed(context), ["first", "second", "third", "fourth", "fourth"])
        self.assertIn("Executing command 0", context.log.text)

    async def test_opening_the_output_by_name_as_another_user(self):
        if os.geteuid() == 0:
            context, result = await self.run_task(shell("echo first; echo second > /dev/stderr"), task_user="nobody")
            self.assertTrue(result.success, context.log.text)
            self.assertEqual(printed(context), ["first", "second"])

    async def test_closing_the_output_and_going_on(self):
        context, result = await self.run_task(shell("echo before; exec >&- 2>&-; touch done"))
        self.assertTrue(result.success)
        self.assertEqual(printed(context), ["before"])
        (await result.archive_file("done")).close()

    async def test_large_output_is_whole(self):
        context, _ = await self.run_task(shell("head -c 20000000 /dev/zero; echo; echo end"))
        self.assertEqual(context.log.data.count(b"\0"), 20_000_000)
        self.assertEqual(printed(context)[-1], "end")

    async def test_endless_output_of_what_is_left_behind(self):
        context, result = await self.run_task(shell("yes & sleep 0.05; echo end", "exit 0"))
        self.assertTrue(result.success)
        self.assertIn("end", printed(context))

    async def test_log_over_its_limit(self):
        """The beginning is in the file, the end in the ring."""
        self.patch(LentFile, "limit", 1000)
        kept: list[bytes] = []
        give_back = LentFile.give_back

        def look(lent: LentFile) -> None:
            kept.extend([] if kept else read_tail(lent.ring, 1000).read(lent.ring))
            give_back(lent)

        self.patch(LentFile, "give_back", look)
        context, result = await self.run_task(shell("i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done"))
        self.assertTrue(result.success)
        self.assertEqual(len(context.log.data), 500)
        self.assertIn(b"line 999\n", b"".join(kept))
        self.assertIn(b"SUCCEEDED\n", b"".join(kept))

    async def test_disk_full(self):
        """The run ends as that, says where, and nothing of it is left."""
        marker = f"marker-{uuid4().hex}"
        self.patch(LentFile, "descriptor", property(lambda lent: lent._full, lambda lent, _: None), create=True)
        full = os.open("/dev/full", os.O_RDWR)
        self.addCleanup(os.close, full)
        self.patch(LentFile, "_full", full, create=True)
        context, execution = await self.start(shell(f"sh -c 'yes; exec sleep 3600' {marker}"))
        with self.assertRaises(ResourceUnavailable) as caught:
            await execution.when_finished()
        self.assertIn(context.folder, str(caught.exception))
        self.assertIn("No space left on device", str(caught.exception))
        self.assertEqual(processes_with(marker), [])
        self.assertEqual(names_in(self.tasks_dir), [])

    def patch(self, target, name, value, create=False):
        """Also what is not there yet."""
        if create and not hasattr(target, name):
            setattr(target, name, None)
            self.addCleanup(delattr, target, name)
        return super().patch(target, name, value)


class SurroundingsTests(NativeCase):
    """What a command starts with."""

    async def test_variables(self):
        os.environ["TCWORKER_TEST_PASSED"], os.environ["TCWORKER_TEST_KEPT"] = "passed on", "kept"
        os.environ["TASKCLUSTER_ACCESS_TOKEN"] = "secret"
        for name in ("TCWORKER_TEST_PASSED", "TCWORKER_TEST_KEPT", "TASKCLUSTER_ACCESS_TOKEN"):
            self.addCleanup(os.environ.pop, name)
        context, _ = await self.run_task(
            {"command": [["env"]]}, inherit_env=("TCWORKER_TEST_PASSED", "TASKCLUSTER_ACCESS_TOKEN", "NOT_THERE")
        )
        variables = dict(line.split("=", 1) for line in printed(context))
        folder = os.path.join(self.tasks_dir, names_in(self.tasks_dir)[0])
        self.assertEqual(variables.pop("LOGNAME"), variables.pop("USER"))
        expected = {
            "HOME": folder,
            "TASK_WORKDIR": folder,
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "TCWORKER_TEST_PASSED": "passed on",
        }
        self.assertEqual(variables, expected)

    async def test_variables_that_cannot_be(self):
        engine = (await self.new_platform()).new_engine(self.new_context(shell("exit 0")))
        for name, value in (("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "\0"), ("A", "\ud800")):
            with self.assertRaises(MalformedPayload):
                engine.set_env(name, value)
        engine.set_env("A", "")
        with self.assertRaises(NamingConflict):
            engine.set_env("A", "")

    async def test_process(self):
        script = "umask; pwd; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; grep SigIgn /proc/self/status; "
        context, _ = await self.run_task(shell(script + "grep SigBlk /proc/self/status; ps -o pid=,sid= -p $$"))
        umask, folder, stdin, descriptors, ignored, blocked, session = printed(context)
        self.assertEqual((umask, stdin), ("0022", "/dev/null"))
        self.assertEqual(os.path.dirname(folder), self.tasks_dir)
        self.assertEqual(descriptors, "4", "0, 1, 2 and that of the folder itself")
        # Those above are the C library's own, and stay as whoever started us has them.
        self.assertEqual(int(ignored.split()[1], 16) & 0x7FFFFFFF, 0)
        self.assertEqual(int(blocked.split()[1], 16), 0)
        self.assertEqual(*session.split())

    async def test_folder(self):
        await self.run_task(shell("exit 0"))
        (name,) = names_in(self.tasks_dir)
        self.assertEqual(name, "task_dSlITZ4yQgmvx_0")
        mode = os.stat(os.path.join(self.tasks_dir, name)).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o700)

    async def test_folders_of_the_same_run_are_apart(self):
        platform = await self.new_platform()
        first, _ = await self.run_task(shell("pwd"), platform)
        second, _ = await self.run_task(shell("pwd"), platform)
        self.assertNotEqual(printed(first), printed(second))

    async def test_another_user(self):
        if os.geteuid() != 0:
            return
        context, result = await self.run_task(shell("id -un; id -Gn; echo $USER; touch mine"), task_user="nobody")
        self.assertEqual(printed(context), ["nobody", "nogroup", "nobody"])
        self.assertTrue(result.success)

    async def test_folder_with_locked_corners_is_removed(self):
        _, result = await self.run_task(shell("mkdir -p a/b/c; touch a/b/c/f; chmod 0 a/b/c; chmod 0 a/b; chmod 0 a"))
        await result.dispose()
        self.assertEqual(names_in(self.tasks_dir), [])


class ArchiveTests(NativeCase):
    """Many files."""

    async def test_thousands_of_files_with_few_open_at_a_time(self):
        _, result = await self.run_task(shell("mkdir d; cd d; seq 1 3000 | xargs touch"))
        most, paths = 0, []
        async for entry in result.archive_folder("d"):
            paths.append(entry.path)
            most = max(most, len(os.listdir("/proc/self/fd")))
            entry.close()
        self.assertEqual(paths, sorted(str(number) for number in range(1, 3001)))
        self.assertLess(most, 150)


class KillTests(NativeCase):
    """More than one process, and more than one way to resist."""

    async def test_politeness(self):
        """Every process is asked, and those that need a moment after the first one's end have it."""
        script = "sh -c 'trap \"sleep 0.1; echo cleaned up; exit\" TERM; echo up; while :; do sleep 0.01; done' & wait"
        context, execution = await self.start(shell(script))
        await until(lambda: "up" in printed(context))
        execution.kill("too long", 20)
        result = await execution.when_finished()
        self.assertIn("cleaned up", printed(context))
        self.assertEqual(result.commands[0].exit, ExitStatus(None, signal.SIGTERM))

    async def test_no_command_starts_after_a_kill(self):
        context, execution = await self.start(
            shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done", "echo 2")
        )
        await until(lambda: "up" in printed(context))
        execution.kill("too long", 20)
        result = await execution.when_finished()
        self.assertEqual((result.success, result.killed, len(result.commands)), (False, "too long", 1))

    async def test_sessions_without_end(self):
        """A fork bomb that makes a session of each."""
        marker = f"marker-{uuid4().hex}"
        bomb = (
            "i=0; while [ $i -lt 150 ]; do setsid sh -c 'trap \"\" TERM; sleep 60' $M & i=$((i+1)); done; echo up; wait"
        )
        context, execution = await self.start(shell(bomb.replace("$M", marker)))
        await until(lambda: "up" in printed(context))
        execution.kill("too long", 0.05)
        await execution.when_finished()
        self.assertEqual(processes_with(marker), [])

    async def test_task_that_kills_its_parent(self):
        """Or tries to, or kills all that it may."""
        if os.geteuid() == 0:
            script = "kill -9 $PPID 2>/dev/null; kill -9 -1; echo alive"
            _, result = await self.run_task(shell(script), task_user="nobody")
            self.assertEqual(len(result.commands), 1)


class ExecTests(NativeCase):
    """A process beside the task's own."""

    async def test_terminal(self):
        _, execution = await self.start(shell("exec sleep 3600"))
        shown = Recorder()
        new = await execution.new_exec(shown, ["sh"], {"TERM": "dumb"}, Size(80, 24))
        new.write(b"stty size; echo $TERM; tty > /dev/tty\n")
        await until(lambda: b"24 80" in shown.data)
        new.resize(Size(100, 30))
        new.write(b"stty size; exit 4\n")
        self.assertEqual(await new.when_ended(), ExitStatus(4))
        await until(lambda: b"30 100" in shown.data and shown.over)
        self.assertIn(b"dumb", shown.data)

    async def test_terminal_whose_input_ends(self):
        _, execution = await self.start(shell("exec sleep 3600"))
        new = await execution.new_exec(Recorder(), ["cat"], {}, Size(80, 24))
        new.loseConnection()
        self.assertEqual(await new.when_ended(), ExitStatus(0))

    async def test_it_ends_with_the_task(self):
        context, execution = await self.start(shell("while [ ! -e go ]; do sleep 0.01; done"))
        shown = Recorder()
        new = await execution.new_exec(shown, ["sh", "-c", "touch go; exec sleep 3600"], {}, None)
        result = await execution.when_finished()
        self.assertTrue(result.success, context.log.text)
        self.assertEqual(await new.when_ended(), ExitStatus(None, signal.SIGKILL))
        await until(lambda: shown.over)

    async def test_it_holds_back(self):
        _, execution = await self.start(shell("exec sleep 3600"))
        shown = Recorder()
        new = await execution.new_exec(shown, ["sh", "-c", "echo ready; head -c 1000000 /dev/zero"], {}, None)
        new.pauseProducing()
        held = len(shown.data)
        await self.turns(20)
        self.assertEqual(len(shown.data), held)
        new.resumeProducing()
        await until(lambda: shown.over)
        self.assertEqual(len(shown.data), 1_000_006)

    async def turns(self, number: int) -> None:
        for _ in range(number):
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.002, turn.callback, None)
            await turn


class Recorder(ProcessProtocol):
    """Keeps what a process prints."""

    def __init__(self) -> None:
        self.data = b""
        self.over = False

    def childDataReceived(self, number: int, data: bytes) -> None:
        self.data += data

    def processEnded(self, reason: object) -> None:
        self.over = True
