"""Tasks whose processes will not go, or go for others."""

from __future__ import annotations

from tests.integration.bad_case import BadCase
from tests.integration.task_case import shell


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


class BadForItsUser(BadCase):
    """What no task can do to another one that runs as another user."""

    async def test_kills_everybody(self) -> None:
        # That is its own processes, and of these the shell itself is none.
        await self.endure(shell("sleep 600 & kill -9 -1; echo alive"), "completed", "alive")

    async def test_kills_everybody_from_outside_its_shell(self) -> None:
        await self.endure(shell("perl -e 'kill 9, -1; print qq(alive\n)'; echo never"), "failed", "SIGKILL")

    async def test_forks_until_it_may_not(self) -> None:
        bomb = "ulimit -u 200 || exit 1; f() { f | f & }; f 2>/dev/null; sleep 1; echo enough"
        await self.endure({**shell(bomb), "command": [["bash", "-c", bomb]]}, "completed")

    async def test_leaves_ipc_objects(self) -> None:
        await self.endure(shell("ipcmk -M 4096; ipcmk -S 2; ipcmk -Q"), "completed", "Shared memory id")

    async def test_leaves_files_where_everybody_can(self) -> None:
        script = (
            "for place in /tmp /var/tmp /dev/shm; do mkdir $place/d-$TASK_ID; echo x > $place/f-$TASK_ID; done; ls /tmp"
        )
        await self.endure(shell(script), "completed", "f-")
