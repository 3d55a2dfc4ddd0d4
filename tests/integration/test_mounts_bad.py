"""Mounts that come to nothing: each ends its task as it should, says which it was, and leaves nothing half-made."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import tarfile
from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.trial.unittest import SkipTest

from tcworker.interfaces import JSON
from tests.definitions import shell
from tests.integration.archives import COMPRESSIONS, archive, member, tar, zipped
from tests.integration.bad_server import content, hang, more, redirect, reset, status
from tests.integration.mounts_case import TREE, MountsCase
from tests.integration.task_client import Outcome
from tests.surroundings import only_root, open_folder, until

SLUG = "dSlITZ4yQgmvxxAi4A8fHQ"

OTHER_CACHE = {"cacheName": "kept", "directory": "kept"}
"""A mount beside the bad one, which must be there the next time."""


ADVICE = "look whether its server is well and can be reached"


class BadCase(MountsCase):
    async def fails(
        self, bad: JSON, *lines: str, resolution: str = "failed", caches: int = 1, downloads: int = 0, **more: Any
    ) -> Outcome:
        """Run a task whose second mount is bad, before any command; nothing but what is whole is kept.

        @param caches: how many.
        """
        outcome = await self.mounting("echo ran", OTHER_CACHE, bad, **more)
        self.assertResolved(outcome, resolution)
        self.assertNotIn("Executing command", outcome.log)
        told = "\n".join(line for line in outcome.errors if line.startswith("payload.mounts[1]"))
        for line in lines:
            self.assertIn(line, told, outcome.log)
        # What could not be finished is removed in the background.
        await until(
            lambda: (len(self.kept()), len(self.kept("downloadsDir"))) == (caches, downloads),
            complaint=self.whats_there,
        )
        return outcome

    def whats_there(self) -> str:
        return f"{self.kept()}, {self.kept('downloadsDir')}"

    async def each_kind_fails(self, source: JSON, *lines: str) -> None:
        """As a file, a folder and a new cache."""
        await self.fails({"file": "x", "content": source}, *lines)
        await self.fails({"directory": "x", "content": source, "format": "tar.gz"}, *lines)
        await self.fails({"directory": "x", "cacheName": "bad", "content": source, "format": "tar.gz"}, *lines)


class BadServers(BadCase):
    """The file is a good one, if it came."""

    settings: ClassVar[Mapping[str, Any]] = {"mounts": {"retrySecs": 1}}

    def at(self, *behaviours: Any) -> JSON:
        return {"url": self.server.serve("/x", *behaviours)}

    async def test_one_that_has_it_not(self) -> None:
        await self.each_kind_fails(self.at(status(404)), f"{self.server.root}/x", "404")

    async def test_one_that_gives_it_to_others_only(self) -> None:
        await self.each_kind_fails(self.at(status(403)), "403")

    async def test_one_that_nobody_reaches(self) -> None:
        await self.each_kind_fails({"url": "http://127.0.0.1:1/x"}, "127.0.0.1:1", "1 s", ADVICE)

    async def test_one_that_says_nothing(self) -> None:
        await self.each_kind_fails(self.at(hang()), f"{self.server.root}/x", ADVICE)

    async def test_one_that_says_nothing_more(self) -> None:
        packed = archive("tar.gz", TREE)
        await self.each_kind_fails(self.at(hang(packed[:50], len(packed))), f"{self.server.root}/x", ADVICE)

    async def test_one_that_breaks(self) -> None:
        await self.each_kind_fails(self.at(status(500)), "500", ADVICE)
        await self.each_kind_fails(self.at(reset), f"{self.server.root}/x", ADVICE)

    async def test_one_that_sends_less_than_it_promised(self) -> None:
        packed = archive("tar.gz", {"data": os.urandom(5000)})
        await self.each_kind_fails(self.at(content(packed, "", cut=3000)), f"{self.server.root}/x", ADVICE)

    async def test_one_that_sends_more_than_it_promised(self) -> None:
        """What is too much is no part of the answer."""
        mount = {"file": "x", "content": self.at(more(b"promised\n", b"more"))}
        await self.assertPrints("cat x; wc -c < x", "9", mount)

    async def test_one_that_leads_in_a_circle(self) -> None:
        self.server.serve("/y", redirect(f"{self.server.root}/x"))
        await self.each_kind_fails(self.at(redirect(f"{self.server.root}/y")), "leads from one address to the next")

    async def test_a_wrong_checksum(self) -> None:
        good, other = archive("tar.gz", TREE), archive("tar.gz", {"a.txt": b"another\n"})
        source = {**self.at(content(other)), "sha256": _sha(good)}
        await self.each_kind_fails(source, _sha(good), _sha(other))
        # Nor has it stayed anywhere: what comes when the server has the right one is the right one.
        self.server.serve("/x", content(good))
        await self.assertPrints("cat x/a.txt", "first", {"directory": "x", "content": source, "format": "tar.gz"})

    async def test_an_address_of_another_kind(self) -> None:
        bad = {"file": "x", "content": {"url": "file:///etc/passwd"}}
        await self.fails(bad, "file:///etc/passwd", resolution="exception/malformed-payload")

    async def test_an_address_in_a_network_that_is_denied(self) -> None:
        for host in ("169.254.169.254", "[fe80::1]"):
            await self.fails({"file": "x", "content": {"url": f"http://{host}/latest"}}, host, "denyNetworks")
        self.server.serve("/y", redirect("http://169.254.169.254/latest/meta-data"))
        await self.fails({"file": "x", "content": {"url": f"{self.server.root}/y"}}, "denyNetworks")

    async def test_an_artifact_that_is_not_there(self) -> None:
        task_id = await self.artifact("x")
        bad = {"file": "x", "content": {"taskId": task_id, "artifact": "public/other"}}
        await self.fails(bad, "public/other", task_id, "404", dependencies=[task_id])

    async def test_an_artifact_that_the_task_may_not_have(self) -> None:
        task_id = await self.artifact("x")
        bad = {"file": "x", "content": {"taskId": task_id, "artifact": "private/data.txt"}}
        await self.fails(bad, "private/data.txt", "403", dependencies=[task_id])

    async def test_an_artifact_that_its_task_could_not_publish(self) -> None:
        artifact = {"type": "file", "path": "none", "name": "public/none", "optional": True}
        made = await self.run_task(shell("true", artifacts=[artifact]))
        bad = {"file": "x", "content": {"taskId": made.task_id, "artifact": "public/none"}}
        await self.fails(bad, "file-missing-on-worker", dependencies=[made.task_id])

    async def test_a_task_that_nobody_has_indexed(self) -> None:
        bad = {"file": "x", "content": {"namespace": "no.such.task", "artifact": "public/x"}}
        await self.fails(bad, "no.such.task", "404")

    async def test_an_artifact_of_a_task_that_is_not_waited_for(self) -> None:
        bad = {"file": "x", "content": {"taskId": SLUG, "artifact": "public/x"}}
        outcome = await self.mounting("true", OTHER_CACHE, bad)
        self.assertMalformed(outcome, f"payload.mounts[1].content.taskId: task.dependencies needs to include {SLUG}")


class BetterServers(MountsCase):
    """It is worth another try."""

    async def test_one_that_breaks_in_the_middle_and_goes_on(self) -> None:
        packed = archive("tar.gz", {"data": os.urandom(5000)})
        url = self.server.serve("/x", content(packed, cut=3000), status(503), content(packed))
        mount = {"directory": "x", "content": {"url": url, "sha256": _sha(packed)}, "format": "tar.gz"}
        await self.assertPrints("wc -c < x/data", "5000", mount)
        self.assertEqual([asked.offset for asked in self.server.gets("/x")], [None, 3000, 3000])


class BadArchives(BadCase):
    """What comes is not what it should be."""

    settings: ClassVar[Mapping[str, Any]] = {"mounts": {"maxExtractedMegabytes": 2}}

    async def refuses(self, form: str, packed: bytes, *lines: str) -> None:
        """As a folder and as a new cache."""
        folder = {"directory": "x", "content": self.url(f"/{form}", packed), "format": form}
        for mount in (folder, {**folder, "cacheName": "bad"}):
            await self.fails(mount, *lines, "the archive must be made anew")

    async def test_one_that_is_cut(self) -> None:
        packed = archive("tar.xz", {"data": os.urandom(20_000)})
        await self.refuses("tar.xz", packed[:10_000])
        await self.refuses("tar", tar({"data": bytes(20_000)})[:10_000])

    async def test_one_of_another_format(self) -> None:
        await self.refuses("tar.zst", archive("tar.gz", TREE), "zst")
        await self.refuses("zip", archive("tar", TREE), "zip")
        await self.refuses("tar", b"<html>" * 1000)

    async def test_one_that_becomes_too_much(self) -> None:
        await self.refuses("tar.gz", gzip.compress(tar({"zeros": bytes(5_000_000)})), "maxExtractedMegabytes")
        await self.refuses("zip", zipped({"zeros": bytes(5_000_000)}), "maxExtractedMegabytes")
        await self.refuses(
            "tar.xz", COMPRESSIONS["xz"](tar({f"{n}": b"" for n in range(2000)})), "maxExtractedMegabytes"
        )

    async def test_members_that_lead_out(self) -> None:
        for name in ("../out", "/etc/out", "a/../../out"):
            await self.refuses("tar", tar(TREE, member(name)), name)
            await self.refuses("zip", zipped({name: b"x"}), name)

    async def test_links_that_lead_out(self) -> None:
        for kind, target in ((tarfile.SYMTYPE, "/etc"), (tarfile.SYMTYPE, "../.."), (tarfile.LNKTYPE, "../out")):
            await self.refuses("tar", tar(TREE, member("a-link", kind, target)), "a-link")

    async def test_links_that_are_written_through(self) -> None:
        through = tar({}, member("d", tarfile.SYMTYPE, ".."), member("d/out"))
        await self.refuses("tar", through, "d")

    async def test_devices_and_pipes(self) -> None:
        for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
            await self.refuses("tar", tar(TREE, member("a-device", kind)), "a-device")

    async def test_bits_that_give_rights(self) -> None:
        for mode in (0o4755, 0o2755):
            await self.refuses("tar", tar(TREE, member("a-program", mode=mode)), "a-program", "setuid")

    async def test_a_file_of_another_format(self) -> None:
        for form in COMPRESSIONS:
            source = self.url(f"/{form}", b"this is nothing of the kind, whatever it is called" * 10)
            await self.fails({"file": "x", "content": source, "format": form}, form)

    async def test_a_file_that_becomes_too_much(self) -> None:
        for form in ("gz", "zst", "br"):
            source = self.url(f"/{form}", COMPRESSIONS[form](bytes(5_000_000)))
            await self.fails({"file": "x", "content": source, "format": form}, "maxExtractedMegabytes")

    async def test_formats_that_nobody_reads(self) -> None:
        folder = {"directory": "x", "content": {"raw": ""}, "format": "rar"}
        outcome = await self.mounting("true", folder, {"file": "y", "content": {"raw": ""}, "format": "mz"})
        self.assertMalformed(
            outcome, "payload.mounts[0].format: this worker cannot read the format rar", "mounts[1].format"
        )


class BadPlaces(BadCase):
    """Told before anything is fetched or made."""

    async def test_a_file_where_a_folder_is(self) -> None:
        bad = {"file": "kept", "content": {"raw": "x"}}
        await self.fails(bad, "kept", resolution="exception/malformed-payload", caches=0)

    async def test_a_cache_where_another_one_is(self) -> None:
        bad = {"directory": "kept/", "cacheName": "b"}
        await self.fails(bad, resolution="exception/malformed-payload", caches=0)

    async def test_places_of_the_machine(self) -> None:
        for path in ("/etc/x", "/x", "../x", "/usr/bin/x"):
            outcome = await self.mounting("true", OTHER_CACHE, {"file": path, "content": {"raw": "x"}})
            self.assertIn(outcome.resolution, ("failed", "exception/malformed-payload"), outcome.log)
            self.assertIn("payload.mounts[1]", outcome.errors[0])
        # Looked at only once all is over, and nothing waits for it.
        self.assertEqual([path for path in ("/etc/x", "/x", "/usr/bin/x") if os.path.exists(path)], [])  # noqa: ASYNC240


class FullDisk(BadCase):
    """Caches and downloads have 12 MB."""

    def own_settings(self) -> Mapping[str, Any]:
        only_root()
        disk = open_folder(self)
        mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk]
        if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
            raise SkipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=True)
        return {"cachesDir": f"{disk}/caches", "downloadsDir": f"{disk}/downloads"}

    async def no_room(self, bad: JSON) -> None:
        outcome = await self.fails(bad, resolution="exception/resource-unavailable")
        self.assertEqual(outcome.verdict["cause"], "no-disk")

    async def test_in_the_middle_of_an_extraction(self) -> None:
        source = self.url("/t", archive("tar.gz", {"big": bytes(30_000_000)}))
        await self.no_room({"directory": "x", "content": source, "format": "tar.gz"})
        await self.no_room({"directory": "x", "cacheName": "bad", "content": source, "format": "tar.gz"})

    async def test_in_the_middle_of_a_download(self) -> None:
        await self.no_room({"file": "x", "content": self.url("/f", bytes(30_000_000))})

    async def test_something_that_nobody_uses_makes_way(self) -> None:
        for name in ("one", "two"):
            mount = {"directory": "x", "content": self.url(f"/{name}", tar({name: bytes(8_000_000)})), "format": "tar"}
            await self.assertPrints("ls x", name, mount)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
