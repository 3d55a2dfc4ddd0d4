from __future__ import annotations

import subprocess
import sys

import taskcluster
from twisted.trial.unittest import SynchronousTestCase

from tcworker.client import services
from tcworker.client.routes import Route, routes, snake_case

SERVICES = {
    services.Auth: taskcluster.Auth,
    services.Index: taskcluster.Index,
    services.Object: taskcluster.Object,
    services.PurgeCache: taskcluster.PurgeCache,
    services.Queue: taskcluster.Queue,
    services.Secrets: taskcluster.Secrets,
    services.WorkerManager: taskcluster.WorkerManager,
}


class RoutesTests(SynchronousTestCase):
    def test_every_call_of_every_service_is_the_reference_clients(self) -> None:
        for ours, theirs in SERVICES.items():
            client = theirs({"rootUrl": "https://tc.example"})
            table = routes(ours.module)
            self.assertEqual({route.name for route in table.values()}, set(theirs.funcinfo))
            for route in table.values():
                arguments = [f"a/{name} %" for name in route.arguments]
                body = [{}] if route.has_body else []
                url = client.buildUrl(route.name, *arguments, *body)
                self.assertEqual("https://tc.example" + route.path(arguments), url.rstrip("/"))
                self.assertEqual(route.method.lower(), theirs.funcinfo[route.name]["method"])
                self.assertEqual(route.has_body, "input" in theirs.funcinfo[route.name])

    def test_an_argument_is_one_segment_whatever_it_holds(self) -> None:
        route = routes("queue")["create_artifact"]
        self.assertEqual(
            route.path(["t", 0, "public/a b?c#d%é[|"]),
            "/api/queue/v1/task/t/runs/0/artifacts/public%2Fa%20b%3Fc%23d%25%C3%A9%5B%7C",
        )

    def test_an_argument_that_looks_like_a_place_stays_as_it_is(self) -> None:
        route = Route("x", "GET", "/<a>/<b>", ("a", "b"), (), False)
        self.assertEqual(route.path(["<b>", "1"]), "/%3Cb%3E/1")

    def test_names_in_snake_case(self) -> None:
        names = {
            "claimWork": "claim_work",
            "ping": "ping",
            "listRoles2": "list_roles2",
            "awsS3Credentials": "aws_s3_credentials",
        }
        self.assertEqual({name: snake_case(name) for name in names}, names)

    def test_reading_the_table_imports_no_other_http_client(self) -> None:
        program = (
            "import sys; from tcworker.client.services import Queue; from tcworker.client.routes import routes;"
            "routes('queue'); sys.exit(bool({'requests', 'aiohttp', 'taskcluster'} & set(sys.modules)))"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", program], check=False).returncode, 0)
