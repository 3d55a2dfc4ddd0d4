"""What a server prints about itself."""

from __future__ import annotations

import subprocess
from urllib.parse import parse_qs, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from tcworker.interfaces import Credentials
from tcworker.server.announcement import announcement, page_url

ROOT = "http://localhost:8080"
ODD = Credentials("static/o'clock|$(x)", "a&b=c#d%e+f'$(x)")
SHOW = 'echo "$TASKCLUSTER_ROOT_URL $TASKCLUSTER_CLIENT_ID $TASKCLUSTER_ACCESS_TOKEN $TASKCLUSTER_CERTIFICATE"'


class TheAnnouncement(SynchronousTestCase):
    def test_can_be_sourced_by_a_shell(self) -> None:
        text = announcement(ROOT, ODD, iter(["It's here; $(exit 3)"]))
        environment = {"TASKCLUSTER_CERTIFICATE": "of other credentials"}
        ran = subprocess.run(["/bin/sh", "-ec", text + SHOW], env=environment, capture_output=True, check=True)
        self.assertEqual(ran.stdout.decode(), f"{ROOT} {ODD.client_id} {ODD.access_token} \n")

    def test_gives_the_page_what_it_signs_with_in_the_fragment(self) -> None:
        url = urlsplit(page_url(ROOT, ODD))
        self.assertEqual((url.path, url.query), ("/", ""))
        given = {"clientId": [ODD.client_id], "accessToken": [ODD.access_token]}
        self.assertEqual(parse_qs(url.fragment, strict_parsing=True), given)

    def test_every_line_for_people_is_a_comment(self) -> None:
        for line in announcement(ROOT, ODD, iter(["one", "in /a\nexport folder"])).splitlines():
            self.assertRegex(line, "^(# |export |unset )")
