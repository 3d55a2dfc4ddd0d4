"""Starting commands, and saying why one cannot be."""

from __future__ import annotations

import fcntl
import os

from twisted.trial.unittest import SynchronousTestCase

from tcworker.launcher.child import Account, CannotStart, Surroundings, start, to_bytes
from tests.surroundings import only_root, open_folder


class StartTests(SynchronousTestCase):
    """In a folder that everybody may enter."""

    account: Account | None = None

    def setUp(self):
        self.folder = open_folder(self)
        self.out = os.open(os.path.join(self.folder, "out"), os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, self.out)

    def write(self, name: str, text: str, mode: int = 0o755) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def start(self, *argv: str, folder: str | None = None, **env: str):
        variables = {b"PATH": b"/usr/bin:/bin"}
        surroundings = Surroundings(to_bytes(folder or self.folder), variables, self.account)
        return start(surroundings, argv, env, (self.out, self.out, self.out))

    def printed(self, *argv: str, **env: str) -> str:
        self.start(*argv, **env).wait()
        return os.pread(self.out, 10000, 0).decode()

    def problem(self, *argv: str, of_task: bool = True, **more: str) -> str:
        error = self.assertRaises(CannotStart, self.start, *argv, **more)
        self.assertEqual(error.of_task, of_task)
        return str(error)

    def test_variables_of_its_own(self):
        self.assertEqual(sorted(self.printed("env", A="1").split()), ["A=1", "PATH=/usr/bin:/bin"])

    def test_what_is_open_here_is_not_open_there(self):
        ours = fcntl.fcntl(self.out, fcntl.F_DUPFD_CLOEXEC, 200)
        self.addCleanup(os.close, ours)
        self.assertNotIn(str(ours), self.printed("sh", "-c", "ls /proc/self/fd").split())

    def test_a_program_that_is_not_there(self):
        self.assertIn("no-such-program was not found in PATH /usr/bin:/bin", self.problem("no-such-program"))
        self.assertIn("./no-such was not found", self.problem("./no-such"))
        self.assertIn("in PATH /x", self.problem("no-such-program", PATH="/x"))

    def test_a_program_that_is_none(self):
        self.write("plain", "text", 0o644)
        self.assertEqual(self.problem("./plain"), "./plain is not executable")
        self.write("odd", "text")
        self.assertEqual(self.problem("./odd"), "./odd could not be executed: Exec format error")

    def test_a_program_in_path_that_is_none(self):
        self.write("plain", "text", 0o644)
        self.assertEqual(
            self.problem("plain", PATH=self.folder),
            f"plain was not found in PATH {self.folder}, or may not be executed",
        )

    def test_a_program_without_a_name(self):
        self.assertIn("'' was not found in PATH /usr/bin:/bin", self.problem(""))

    def test_a_script_without_its_interpreter(self):
        self.write("script", "#!/no/such/interpreter\n")
        self.assertIn("interpreter", self.problem("./script"))
        self.assertIn("interpreter", self.problem("script", PATH=f"/nowhere:{self.folder}"))

    def test_a_folder_that_is_not_there(self):
        text = self.problem("true", folder="/no/such/folder")
        self.assertEqual(text, "the task's folder cannot be entered: No such file or directory")

    def test_arguments_that_are_too_many(self):
        self.assertIn("could not be executed", self.problem("true", *["x" * 100000] * 100))


class StartAsSomebodyElseTests(StartTests):
    """What only root can do."""

    account = Account(65534, 65534, (65534,))

    def setUp(self):
        only_root()
        super().setUp()

    def test_who_it_is(self):
        self.assertEqual(self.printed("sh", "-c", "id -u; id -g; id -G").split(), ["65534"] * 3)

    def test_nothing_is_left_of_who_it_was(self):
        """Also on systems that cannot set all three numbers of a kind by one call of that name."""
        for name in ("setresuid", "setresgid"):
            self.patch(os, name, None)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                self.account.become()
                os.write(writing, repr((os.getresuid(), os.getresgid(), os.getgroups())).encode())
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(pid, 0)
        with open(reading) as said:
            self.assertEqual(said.read(), repr(((65534,) * 3, (65534,) * 3, [65534])))

    def test_what_it_may_not_see_is_not_told(self):
        """Root would find the file."""
        os.mkdir(os.path.join(self.folder, "secret"), 0o700)
        self.write("secret/script", "#!/no/such/interpreter\n")
        self.assertEqual(self.problem("secret/script"), "secret/script is not executable")

    def test_a_folder_that_it_may_not_enter_hides_no_more_than_itself(self):
        os.mkdir(os.path.join(self.folder, "secret"), 0o700)
        problem = self.problem("no-such-program", PATH=f"{self.folder}/secret:/usr/bin")
        self.assertEqual(
            problem, f"no-such-program was not found in PATH {self.folder}/secret:/usr/bin, or may not be executed"
        )

    def test_an_account_that_cannot_be(self):
        self.account = Account(65534, 65534, (-2,))
        self.assertIn("could not be set up", self.problem("true", of_task=False))
