"""The object service: its calls (contracts of the queue, 6.1 and 6.2)."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from io import BytesIO

from tcworker.embedded import dates
from tcworker.embedded.api_service import ApiService
from tcworker.embedded.calls import Call, Reply
from tcworker.embedded.faults import ApiError, bad_input, not_found
from tcworker.embedded.ground import Ground
from tcworker.embedded.objects import store, uploads
from tcworker.embedded.objects.bodies import CREATE_UPLOAD, FINISH_UPLOAD, START_DOWNLOAD
from tcworker.embedded.objects.store import StoredObject, key_of
from tcworker.embedded.objects.uploads import Upload
from tcworker.embedded.routing import Route
from tcworker.embedded.schemas import PRINTABLE_NAME, Checker
from tcworker.interfaces import JSON

_SAFE = str.maketrans("+/", "-_")

PATTERNS = {"name": PRINTABLE_NAME}

METHODS = ("getUrl", "simple")
"""The download methods, the preferred one first."""


class ObjectService(ApiService):
    """Keeps objects, under whatever name."""

    schema = store.SCHEMA
    expired = (store.expire,)

    def __init__(self, ground: Ground) -> None:
        self._clock = ground.clock
        self._times = ground.times
        self._database = ground.database
        self._contents = ground.contents
        self._addresses = ground.addresses
        super().__init__("object", ground, self._routes(), PATTERNS)

    def _routes(self) -> Sequence[Route]:
        create, finish, start = Checker(CREATE_UPLOAD), Checker(FINISH_UPLOAD), Checker(START_DOWNLOAD)
        # Who uploads needs a scope that depends on the body, so those routes have none.
        scope = "object:download:<name>"
        return [
            Route("createUpload", "PUT", "/upload/<name>", self._create, body=create),
            Route("finishUpload", "POST", "/finish-upload/<name>", self._finish, body=finish),
            Route("startDownload", "PUT", "/start-download/<*name>", self._start, scope, body=start),
            Route("object", "GET", "/metadata/<*name>", self._show, scope),
            Route("download", "GET", "/download/<*name>", self._redirect, scope),
        ]

    async def _create(self, call: Call) -> JSON:
        upload, proposed = _upload(call), call.body["proposedUploadMethods"]
        data = _decode(proposed["dataInline"]["objectData"]) if "dataInline" in proposed else b""
        await self._database.run(uploads.begin, upload, dates.read(call.body["expires"]), dates.now(self._clock))
        if "dataInline" in proposed:
            await self._contents.put(key_of(upload.name), BytesIO(data), proposed["dataInline"]["contentType"])
            method: JSON = {"dataInline": True}
        else:
            method = {"putUrl": self._put_url(upload.name, proposed["putUrl"])} if "putUrl" in proposed else {}
        said = {key: call.body[key] for key in ("projectId", "uploadId", "expires")}
        return {**said, "uploadMethod": method}

    def _put_url(self, name: str, proposed: JSON) -> JSON:
        headers = {
            "Content-Type": proposed["contentType"],
            "Content-Length": str(proposed["contentLength"]),
            "Content-Encoding": "identity",
        }
        expires = self._in(self._times.upload)
        signed = {header.lower(): value for header, value in headers.items()}
        url = self._addresses.of("PUT", key_of(name), expires, signed)
        return {"url": url, "expires": dates.write(expires), "headers": headers}

    async def _finish(self, call: Call) -> JSON:
        await self._database.run(uploads.finish, _upload(call), dates.now(self._clock))
        return {}

    async def _start(self, call: Call) -> JSON:
        stored = await self._find(call)
        accepted = [method for method in METHODS if method in call.body["acceptDownloadMethods"]]
        if not accepted:
            raise ApiError("NoMatchingMethod", f"Object {stored.name} supports the methods {', '.join(METHODS)}.")
        if accepted[0] == "simple":
            return {"method": "simple", "url": self._simple(stored)}
        now, lasting = dates.now(self._clock), int(self._times.object_address * 1000)
        url = self._addresses.of("GET", key_of(stored.name), now + 2 * lasting)
        return {"method": "getUrl", "url": url, "expires": dates.write(now + lasting), "hashes": stored.hashes}

    async def _redirect(self, call: Call) -> Reply:
        return Reply(303, headers={"location": self._simple(await self._find(call))})

    async def _show(self, call: Call) -> JSON:
        stored = await self._find(call)
        return {"projectId": stored.project_id, "expires": dates.write(stored.expires), "hashes": stored.hashes}

    async def _find(self, call: Call) -> StoredObject:
        """Give a finished object. Raises L{ApiError} when there is none."""
        stored = await self._database.read(store.find, call.params["name"], dates.now(self._clock))
        if stored is None or not stored.finished:
            raise not_found(f"There is no object {call.params['name']}.")
        return stored

    def _simple(self, stored: StoredObject) -> str:
        return self._addresses.of("GET", key_of(stored.name), self._in(self._times.download))

    def _in(self, seconds: float) -> int:
        return dates.after(dates.now(self._clock), seconds)


def _upload(call: Call) -> Upload:
    """Give what a call is about, if the caller may upload it. Raises L{ApiError}."""
    name, project = call.params["name"], call.body["projectId"]
    call.require(f"object:upload:{project}:{name}")
    return Upload(name, project, call.body["uploadId"], call.body.get("hashes", {}))


def _decode(text: str) -> bytes:
    """Read base64 of either alphabet, with or without its padding. Raises L{ApiError}."""
    bare = text.rstrip("=")
    if len(bare) % 4 == 1:
        raise bad_input("objectData is not base64: it breaks off.")
    return urlsafe_b64decode(bare.translate(_SAFE) + "=" * (-len(bare) % 4))
