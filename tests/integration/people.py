"""People and workers at a server, and logs that grow. All of it blocks: for threads only."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

import slugid
import taskcluster

from tests.definitions import definition

PATIENCE = 15

LIVE = "public/logs/live.log"

PAYLOAD = {"command": [["true"]], "maxRunTime": 60}

SOURCE = "https://example.com/source"


class Person:
    """Somebody who creates tasks and also works on them."""

    def __init__(self, root_url: str, client_id: str, access_token: str) -> None:
        self.root_url = root_url
        self.client_id = client_id
        self.access_token = access_token
        credentials = {"clientId": client_id, "accessToken": access_token}
        self.queue = taskcluster.Queue({"rootUrl": root_url, "credentials": credentials})

    @property
    def fragment(self) -> str:
        """By which the page is told who uses it."""
        return f"#clientId={self.client_id}&accessToken={self.access_token}"

    def page(self, path: str) -> Any:
        """Ask the page's own service, as anybody."""
        with urlopen(f"{self.root_url}/api/page/v1{path}") as answer:
            return json.load(answer)

    def define(self, name: str, payload: Mapping[str, Any] = PAYLOAD, **more: Any) -> dict[str, Any]:
        metadata = {"name": name, "description": f"About {name}.", "owner": "me@example.com", "source": SOURCE}
        return definition("prov/type", payload, **{"metadata": metadata, **more})

    def create(self, name: str, **more: Any) -> str:
        task_id = str(slugid.nice())
        self.queue.createTask(task_id, self.define(name, **more))
        return task_id

    def claim(self, task_queue_id: str = "prov/type", tasks: int = 1) -> list[Run]:
        worker = {"workerGroup": "group", "workerId": "worker-1", "tasks": tasks}
        return [Run(self.root_url, claim) for claim in self.queue.claimWork(task_queue_id, worker)["tasks"]]


class Run:
    """A claimed run, in the hands of its worker."""

    def __init__(self, root_url: str, claim: Mapping[str, Any]) -> None:
        self._queue = taskcluster.Queue({"rootUrl": root_url, "credentials": dict(claim["credentials"])})
        self.address = (claim["status"]["taskId"], claim["runId"])
        self._expires = claim["task"]["expires"]

    def refer(self, url: str, name: str = LIVE) -> None:
        self._put(name, storageType="reference", url=url, contentType="text/plain; charset=utf-8")

    def link(self, artifact: str, name: str = LIVE) -> None:
        self._put(name, storageType="link", artifact=artifact, contentType="text/plain; charset=utf-8")

    def upload(self, name: str, content: bytes, content_type: str, encoding: str = "identity") -> None:
        given = self._put(name, storageType="s3", contentType=content_type)
        headers = {"Content-Type": content_type, "Content-Encoding": encoding}
        request = Request(given["putUrl"], content, headers, method="PUT")
        urlopen(request).close()

    def complete(self) -> None:
        self._queue.reportCompleted(*self.address)

    def fail(self) -> None:
        self._queue.reportFailed(*self.address)

    def _put(self, name: str, **body: Any) -> Any:
        return self._queue.createArtifact(*self.address, name, {"expires": self._expires, **body})


class LiveLog:
    """Streams a log to whoever asks, as workers do: from its beginning, and then what is added.

    @ivar url: of the log.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._content = b""
        self._closed = False
        log = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in log.pieces():
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/log"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def content(self) -> bytes:
        return self._content

    def write(self, text: str) -> None:
        with self._changed:
            self._content += text.encode()
            self._changed.notify_all()

    def close(self) -> None:
        """End the log, but not the server."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        self.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def pieces(self) -> Iterator[bytes]:
        """Give the content, from its beginning and as it grows, until the log is closed."""
        sent = 0
        while piece := self._after(sent):
            yield piece
            sent += len(piece)

    def _after(self, sent: int) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._content) > sent, PATIENCE)
            return self._content[sent:]


def person_of(settings: Mapping[str, str]) -> Person:
    """Give somebody by what a server printed of itself."""
    return Person(settings["rootURL"], settings["clientId"], settings["accessToken"])
