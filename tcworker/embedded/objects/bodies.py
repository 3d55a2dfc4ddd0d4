"""What the bodies of the object service's calls are made of (contracts of the queue, 6.1 and 6.2)."""

from __future__ import annotations

from tcworker.embedded.schemas import COUNT, DATE, PRINTABLE, PROJECT, SLUGID, Schema, closed

INLINE = 10926
"""The length of 8 KiB in base64, and a little."""

_UPLOAD: Schema = {"type": "string", "pattern": SLUGID}
_CONTENT_TYPE: Schema = {"type": "string", "pattern": PRINTABLE, "maxLength": 255}

_HASHES: Schema = {
    "type": "object",
    "properties": {
        "sha256": {"type": "string", "pattern": "^[a-z0-9]{64}$"},
        "sha512": {"type": "string", "pattern": "^[a-z0-9]{128}$"},
    },
    "additionalProperties": {"type": "string"},
}

_INLINE: Schema = closed(
    {
        "contentType": _CONTENT_TYPE,
        "objectData": {"type": "string", "pattern": "^[A-Za-z0-9+/_-]*={0,2}$", "maxLength": INLINE},
    },
    required=["contentType", "objectData"],
)
_PUT: Schema = closed(
    {"contentType": _CONTENT_TYPE, "contentLength": COUNT},
    required=["contentType", "contentLength"],
)

CREATE_UPLOAD = closed(
    {
        "projectId": PROJECT,
        "uploadId": _UPLOAD,
        "expires": DATE,
        "hashes": _HASHES,
        "proposedUploadMethods": closed({"dataInline": _INLINE, "putUrl": _PUT}),
    },
    required=["projectId", "uploadId", "expires", "proposedUploadMethods"],
)

FINISH_UPLOAD = closed(
    {"projectId": PROJECT, "uploadId": _UPLOAD, "hashes": _HASHES},
    required=["projectId", "uploadId"],
)

START_DOWNLOAD = closed(
    {"acceptDownloadMethods": closed({"getUrl": {"const": True}, "simple": {"const": True}})},
    required=["acceptDownloadMethods"],
)
