"""A loopback S3: buckets in memory, as much of the protocol as is needed to store, read and list objects."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit


class LoopbackS3(ThreadingHTTPServer):
    """Keeps ``objects`` by bucket and key, in the order of ``written``; keys are not checked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.written: list[str] = []
        self.is_read_only = False

    def address(self, path: str) -> str:
        return f"s3://{path}?endpoint_override=127.0.0.1:{self.server_address[1]}&scheme=http&region=here"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LoopbackS3

    def do_HEAD(self) -> None:
        self._answer_object(self._key())

    def do_GET(self) -> None:
        query = self._query()
        if "list-type" not in query:
            self._answer_object(self._key())
            return
        below = f"{self._key()}/{query.get('prefix', '')}"
        keys = [key.partition("/")[2] for key in sorted(self.server.objects) if key.startswith(below)]
        listed = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
        count = f"<KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>"
        self._answer(200, f"<ListBucketResult>{count}{listed}</ListBucketResult>".encode())

    def do_PUT(self) -> None:
        content, query = self._content(), self._query()
        if self.server.is_read_only:
            self._answer(403, b"<Error><Code>AccessDenied</Code><Message>no right</Message></Error>")
        elif "uploadId" in query:
            self.server.parts.setdefault(query["uploadId"], {})[int(query["partNumber"])] = content
            self._answer(200, headers={"ETag": '"part"'})
        else:
            self._store(content)
            self._answer(200, headers={"ETag": '"whole"'})

    def do_POST(self) -> None:
        self._content()
        query = self._query()
        if "uploads" in query:
            self._answer(200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
        else:
            parts = self.server.parts.pop(query["uploadId"])
            self._store(b"".join(parts[number] for number in sorted(parts)))
            self._answer(200, b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")

    def log_message(self, *arguments: object) -> None:
        pass

    def _store(self, content: bytes) -> None:
        self.server.objects[self._key()] = content
        self.server.written.append(self._key())

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/")

    def _query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()}

    def _content(self) -> bytes:
        """Return what was sent, out of HTTP's pieces and those of the SDK, which signs each."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = _joined(self.rfile)
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signed = "aws-chunked" in self.headers.get("Content-Encoding", "")
        return _joined(io.BytesIO(content)) if signed else content

    def _answer_object(self, key: str) -> None:
        content = self.server.objects.get(key)
        if content is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        last = min(int(wanted[2]) if wanted and wanted[2] else len(content) - 1, len(content) - 1)
        headers = {"Content-Range": f"bytes {first}-{last}/{len(content)}"} if wanted else {}
        headers |= {"Last-Modified": "Sun, 29 Nov 2026 00:00:00 GMT", "ETag": '"whole"'}
        self._answer(206 if wanted else 200, content[first : last + 1], headers)

    def _answer(self, code: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _joined(stream: IO[bytes]) -> bytes:
    """Return the content of pieces, each after its size; lines with checksums follow the last."""
    content = b""
    while size := int(stream.readline().partition(b";")[0], 16):
        content += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass
    return content


@contextmanager
def loopback_s3() -> Iterator[LoopbackS3]:
    """Yield a server that runs until the end of the block."""
    with LoopbackS3() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
