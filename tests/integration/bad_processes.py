"""Tasks whose processes will not go, or go for others."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SkipTest

from tests.chances import SOAKING
from tests.definitions import shell
from tests.integration.bad_case import OF_THEIR_OWN, BadCase


class BadProcesses(BadCase):
    """What every worker must endure whose tasks run as another user than its own."""

    async def test_leaves_a_daemon_that_ignores_signals(self) -> None:
        daemon = r"trap \"\" TERM HUP INT; sleep 600 & wait; sleep 600"
        script = f"setsid sh -c 'setsid sh -c \"{daemon}\" & exit' & wait; sleep 0.1; echo left it"
        await self.endure(shell(script), "completed", "left it")

    async def test_leaves_a_daemon_that_prints(self) -> None:
        script = "setsid sh -c 'while :; do echo again; sleep 0.01; done' & sleep 0.1"
        await self.endure(shell(script), "completed", "again", "=== Task Finished ===")

    async def test_kills_its_parent(self) -> None:
        script = "kill -9 $PPID; kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); echo alive"
        await self.endure(shell(script), "completed", "alive")

    async def test_stops_its_parent(self) -> None:
        await self.endure(shell("kill -STOP $PPID; echo alive"), "completed", "alive")

    async def test_uses_up_its_descriptors(self) -> None:
        perl = "while (open(my $f, '<', '/dev/null')) { push @f, $f } print 'at ', scalar(@f), qq(: $!\\n)"
        await self.endure(shell(f'perl -e "{perl}"'.replace("$", r"\$")), "completed", "Too many open files")

    async def test_takes_a_name_that_says_it_is_another(self) -> None:
        perl = '$0 = "tcworker) S 1 1 1 0 ("; exit if fork; setpgrp; $| = 1; print "hidden\\n"; sleep 600'
        await self.endure(
            {"command": [["perl", "-e", perl], ["sleep", "0.1"]], "maxRunTime": 60}, "completed", "hidden"
        )


def shows_queues() -> bool:
    """Whether this machine shows the message queues of POSIX."""
    return Path("/dev/mqueue").is_mount()


class BadForItsUser(BadCase):
    """What no task can do to another one that runs as another user."""

    async def test_kills_everybody(self) -> None:
        # That is its own processes, and of these the shell itself is none.
        await self.endure(shell("sleep 600 & kill -9 -1; echo alive"), "completed", "alive")

    async def test_kills_everybody_from_outside_its_shell(self) -> None:
        await self.endure(shell("perl -e 'kill 9, -1; print qq(alive\n)'; echo never"), "failed", "SIGKILL")

    async def test_leaves_ipc_objects(self) -> None:
        await self.endure(shell("ipcmk -M 4096; ipcmk -S 2; ipcmk -Q"), "completed", "Shared memory id")

    async def test_leaves_files_where_everybody_can(self) -> None:
        script = (
            "for place in /tmp /var/tmp /dev/shm; do mkdir $place/d-$TASK_ID; echo x > $place/f-$TASK_ID; done; ls /tmp"
        )
        await self.endure(shell(script), "completed", "f-")

    async def test_leaves_messages_of_posix(self) -> None:
        if not shows_queues():
            raise SkipTest("nobody sees such messages here")
        # mq_open, by the number that x86-64 has for it.
        perl = 'print syscall(240, my $name = "left-by-a-task", 0101, 0600, 0) >= 0 ? "made\\n" : "none here\\n"'
        await self.endure({"command": [["perl", "-e", perl]], "maxRunTime": 60}, "completed")

    async def test_leaves_what_runs_later(self) -> None:
        if not shutil.which("crontab"):
            raise SkipTest("this machine runs nothing later")
        await self.endure(shell("echo '* * * * * true' | crontab -; crontab -l"), "completed", "* * * * * true")


class BadWithinLimits(BadCase):
    """What a worker endures by the limits that it gives its tasks."""

    settings: ClassVar = OF_THEIR_OWN | {"limits": {"memoryMB": 100, "pids": 50}}

    async def test_forks_until_it_may_not(self) -> None:
        bomb = "f() { f | f & }; f 2> /dev/null; sleep 0.5; echo enough"
        await self.endure({"command": [["bash", "-c", bomb]], "maxRunTime": 60}, "completed", "enough")

    async def test_forks_for_ever(self) -> None:
        bomb = "fork while 1"
        await self.endure({"command": [["perl", "-e", bomb]], "maxRunTime": 1}, "failed", "max run time exceeded")

    async def test_fills_its_memory(self) -> None:
        perl = "$x = q(x) x (400 << 20); print 1"
        payload = {"command": [["perl", "-e", perl]], "maxRunTime": 60}
        await self.endure(payload, "failed", "needed more than the 100 MB of memory")

    async def test_fills_its_memory_by_files(self) -> None:
        script = "head -c 400M /dev/zero > /dev/shm/fill-$TASK_ID; echo status $?"
        await self.endure(shell(script), "failed", "needed more than the 100 MB of memory")


class BadForTheWorker(BadCase):
    """What a task can do that has the worker's own rights, and what a worker makes of it."""

    settings: ClassVar = {"taskUsers": False}

    async def test_kills_its_parent(self) -> None:
        outcome = await self.run_task(shell("kill -9 $PPID; echo alive"))
        self.assertResolved(outcome, "exception/internal-error")
        await self.assertWorks()
        await self.nothing_left()

    async def test_stops_its_parent(self) -> None:
        if not SOAKING:
            raise SkipTest("takes half a minute: make soak")
        outcome = await self.run_task(shell("kill -STOP $PPID; echo alive", maxRunTime=1))
        self.assertResolved(outcome, "failed", "max run time exceeded")

    async def test_kills_its_launcher(self) -> None:
        # Whoever is over before that is noticed is none of its tasks any more.
        outcome = await self.run_task(shell("kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); echo alive; exec sleep 60"))
        self.assertResolved(outcome, "exception/internal-error")
        await self.assertWorks()
        await self.nothing_left()

    async def test_leaves_files_that_nobody_may_change(self) -> None:
        script = "mkdir -p a/b; touch a/b/c; chattr +i a/b/c a && chattr +a a/b && echo immutable"
        await self.endure(shell(script), "completed", "immutable")
