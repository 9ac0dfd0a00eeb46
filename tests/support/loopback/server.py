"""The archive's two servers, one of answers and one of contents, as they are on other hosts in the real one."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
import threading
import time
import uuid
from collections import defaultdict, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from tests.support.loopback.model import Archive, Asset, Version, select

SLOW = 0.05  # s between the pieces of a slow answer


class Loopback(Archive):
    """The archive, serving. Use it as a context manager.

    ``faults[asset_id]`` and ``faults["listing"]`` are queues of what goes wrong at the next requests: ``429``,
    ``503``, ``slow``, ``cut`` (the connection breaks half way), ``short`` (less than there is, said to be all),
    ``flip`` (a wrong byte), ``expired`` (the signed URL is no longer good), ``no-range`` (the whole where a part was
    asked for).
    ``requests`` lists what was asked, ``sent`` counts the bytes of contents.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: dict[str, deque[str]] = defaultdict(deque)
        self.requests: list[str] = []
        self.tokens_at_the_store: list[str] = []
        self.sent = 0
        self.signatures: set[str] = set()
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), self._handler(kind)) for kind in (_Api, _Store)]
        self.api, self.store = (f"http://127.0.0.1:{one.server_address[1]}" for one in self._servers)
        self.site, self.api = self.api, self.api + "/api"

    def __enter__(self) -> Loopback:
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _handler(self, kind: type) -> type:
        return type(kind.__name__, (kind,), {"archive": self})

    def sign(self, blob_id: str) -> str:
        signature = f"signature{next(self._numbers)}"
        self.signatures.add(signature)
        return f"{self.store}/{blob_id}?{urlencode({'X-Amz-Expires': 21600, 'X-Amz-Signature': signature})}"

    def next_fault(self, name: str) -> str:
        with self._lock:
            return self.faults[name].popleft() if self.faults[name] else ""

    def count(self, sent: int) -> None:
        with self._lock:
            self.sent += sent


class _Handler(BaseHTTPRequestHandler):
    archive: Loopback
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a client that hangs up is no news
            super().handle()

    def reply(self, status: int, content: Any = None, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def dispatch(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.archive.requests.append(f"{self.command} {self.path}")
        for method, pattern, answer in self.routes:
            found = re.fullmatch(pattern, url.path)
            if found and (method == self.command or (self.command == "HEAD" and method == "GET")):
                return answer(self, *found.groups())
        return self.reply(404, {"detail": "Not found."})

    do_GET = do_HEAD = do_POST = do_PUT = dispatch


class _Store(_Handler):
    """Contents by signed URL, whole or by range."""

    def serve(self, blob_id: str) -> None:
        self.archive.tokens_at_the_store += filter(None, [self.headers.get("Authorization")])
        asset = next(a for d in self.archive.dandisets.values() for v in d.versions.values() for a in v.assets.values()
                     if a.blob_id == blob_id)  # fmt: skip
        fault = self.archive.next_fault(asset.asset_id)
        if fault == "expired":
            self.archive.signatures.discard(self.query.get("X-Amz-Signature", ""))
        if self.query.get("X-Amz-Signature") not in self.archive.signatures:
            return self.reply(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
        if fault in {"429", "503"}:
            return self.reply(int(fault), b"busy", {"Retry-After": "0"})
        return self.send(asset.content, fault)

    def serve_entry(self, zarr_id: str, path: str) -> None:
        folder = next(a.content for d in self.archive.dandisets.values() for v in d.versions.values()
                      for a in v.assets.values() if a.blob_id == zarr_id)  # fmt: skip
        return self.send(folder / path, "")

    def send(self, content: bytes | Path, fault: str) -> None:
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        start, stop = 0, size
        if asked and fault != "no-range":
            start, stop = int(asked[1]), min(int(asked[2] or size - 1) + 1, size)
            if start >= size:
                return self.reply(416, b"")
        length = (stop - start) // 2 if fault == "short" else stop - start
        self.send_response(206 if asked and fault != "no-range" else 200)
        if asked and fault != "no-range":
            self.send_header("Content-Range", f"bytes {start}-{start + length - 1}/{size}")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self._pour(content, start, length // 2 if fault == "cut" else length, fault)
        if fault == "cut":
            self.close_connection = True
        return None

    def _pour(self, content: bytes | Path, start: int, length: int, fault: str) -> None:
        step = max(1, length // 4) if fault == "slow" else 2**20
        for first in range(start, start + length, step):
            count = min(step, start + length - first)
            piece = content[first : first + count] if isinstance(content, bytes) else _read(content, first, count)
            if fault == "flip" and first == start:
                piece = bytes([piece[0] ^ 1]) + piece[1:]
            if fault == "slow":
                time.sleep(SLOW)
            self.wfile.write(piece)
            self.archive.count(len(piece))

    def take(self, upload_id: str) -> None:
        self.archive.uploaded[upload_id] = self.body()
        self.reply(200, b"", {"ETag": f'"{hashlib.md5(self.archive.uploaded[upload_id]).hexdigest()}"'})

    def complete(self, upload_id: str) -> None:
        self.body()
        tag = hashlib.md5(hashlib.md5(self.archive.uploaded[upload_id]).digest()).hexdigest() + "-1"
        self.reply(200, f'<R><ETag>"{tag}"</ETag></R>'.encode(), {"Content-Type": "text/xml"})

    routes = (
        ("PUT", "/upload/([^/]+)", take),
        ("POST", "/complete/([^/]+)", complete),
        ("GET", "/zarr/([^/]+)/(.+)", serve_entry),
        ("GET", "/([^/]+)", serve),
    )


class _Api(_Handler):
    """Answers. What an embargoed dandiset holds is said to those who have a key."""

    def token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("token ")

    def barred(self, embargoed: bool) -> bool:
        if embargoed and self.token() in self.archive.keys_of_others:
            self.reply(403, {"detail": "You do not have permission to perform this action."})
            return True
        if embargoed and self.token() not in self.archive.keys:
            self.reply(401, {"detail": "Authentication credentials were not provided."})
            return True
        return False

    def page(self, rows: list[dict[str, Any]]) -> None:
        size = min(int(self.query.get("page_size", 100)), 1000)
        number = int(self.query.get("page", 1))
        more = {"page": str(number + 1), "page_size": str(size)}
        beyond = f"{self.archive.site}{urlsplit(self.path).path}?{urlencode({**self.query, **more})}"
        shown = rows[(number - 1) * size : number * size]
        following = self.archive.following(beyond if number * size < len(rows) else None)
        shown = self.archive.rows(shown)
        self.reply(200, {"count": len(rows), "next": following, "previous": None, "results": shown})
        self.archive.after_page()

    def info(self) -> None:
        self.reply(200, self.archive.info())

    def auth(self) -> None:
        known = self.token() in self.archive.keys | self.archive.keys_of_others
        self.reply(200 if known else 401, {"token": self.token()} if known else {"detail": "Invalid token."})

    def dandisets(self) -> None:
        self.page([self.archive.dandiset_row(one) for one in self.archive.dandisets])

    def dandiset(self, identifier: str) -> None:
        held = self.archive.dandisets.get(identifier)
        if held is None:
            return self.reply(404, {"detail": "Not found."})
        return None if self.barred(held.embargoed) else self.reply(200, self.archive.dandiset_row(identifier))

    def versions(self, identifier: str) -> None:
        held = self.archive.dandisets[identifier]
        if not self.barred(held.embargoed):
            self.page([self.archive.version_row(identifier, name, with_dandiset=True) for name in held.versions])

    def _version(self, identifier: str, name: str) -> Version | None:
        held = self.archive.dandisets.get(identifier)
        if held is None or name not in held.versions:
            self.reply(404, {"detail": "Not found."})
            return None
        return None if self.barred(held.embargoed) else held.versions[name]

    def version(self, identifier: str, name: str) -> None:
        if self._version(identifier, name) is not None:
            self.reply(200, self.archive.version_metadata(identifier, name))

    def set_version(self, identifier: str, name: str) -> None:
        version = self._version(identifier, name)
        if version is not None:
            version.metadata |= json.loads(self.body())["metadata"]
            self.reply(200, self.archive.version_row(identifier, name, with_dandiset=True))

    def version_info(self, identifier: str, name: str) -> None:
        if self._version(identifier, name) is not None:
            row = self.archive.version_row(identifier, name, with_dandiset=True)
            more = {"contact_person": "User, Test", "asset_validation_errors": [], "version_validation_errors": []}
            self.reply(200, row | more | {"metadata": self.archive.version_metadata(identifier, name)})

    def assets(self, identifier: str, name: str) -> None:
        fault = self.archive.next_fault("listing")
        if fault in {"429", "503"}:
            return self.reply(int(fault), {"detail": "busy"}, {"Retry-After": "0"})
        version = self._version(identifier, name)
        if version is None:
            return None
        chosen = select(version, self.query.get("path"), self.query.get("glob"))
        if self.query.get("metadata") == "true":
            return self.page([asset.row() | {"metadata": self.archive.metadata(asset)} for asset in chosen])
        return self.page([asset.row() for asset in chosen])

    def paths(self, identifier: str, name: str) -> None:
        version = self._version(identifier, name)
        if version is None:
            return
        folders: dict[str, list[Asset]] = defaultdict(list)
        for asset in version.assets.values():
            folders[asset.path.split("/")[0]].append(asset)
        self.page([{"path": top, "version": 2, "aggregate_files": len(held), "asset": None,
                    "aggregate_size": sum(asset.size for asset in held)} for top, held in folders.items()])  # fmt: skip

    def _asset(self, asset_id: str) -> Asset | None:
        found = self.archive.asset(asset_id)
        if asset_id in self.archive.taken_out:
            known = self.token() in self.archive.keys | self.archive.keys_of_others
            self.reply(403 if known else 401, {"detail": "You do not have permission to perform this action."})
            return None
        if found is None:
            self.reply(404, {"detail": "Not found."})
            return None
        return None if self.barred(found[0].embargoed) else found[1]

    def asset(self, asset_id: str) -> None:
        if (asset := self._asset(asset_id)) is not None:
            self.reply(200, self.archive.metadata(asset))

    def asset_info(self, asset_id: str) -> None:
        if (asset := self._asset(asset_id)) is not None:
            self.reply(200, asset.row() | {"metadata": self.archive.metadata(asset)})

    def download(self, asset_id: str) -> None:
        if (asset := self._asset(asset_id)) is not None:
            self.reply(302, None, {"Location": self.archive.sign(asset.blob_id)})

    def zarr_files(self, zarr_id: str) -> None:
        folder = next(a.content for d in self.archive.dandisets.values() for v in d.versions.values()
                      for a in v.assets.values() if a.blob_id == zarr_id)  # fmt: skip
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        chosen = [p for p in files if p.relative_to(folder).as_posix().startswith(self.query.get("prefix", ""))]
        if self.query.get("download") == "true":
            key = quote((chosen or files)[0].relative_to(folder).as_posix())
            return self.reply(302, None, {"Location": f"{self.archive.store}/zarr/{zarr_id}/{key}"})
        return self.page([{"Key": p.relative_to(folder).as_posix(), "Size": p.stat().st_size,
                           "ETag": hashlib.md5(p.read_bytes()).hexdigest(), "LastModified": "2026-11-22T11:15:31Z"}
                          for p in chosen])  # fmt: skip

    def initialize(self) -> None:
        if self.barred(True):
            return None
        wanted = json.loads(self.body())
        for upload_id, content in self.archive.uploaded.items():
            tag = hashlib.md5(hashlib.md5(content).digest()).hexdigest() + "-1"
            if tag == wanted["digest"]["value"]:
                return self.reply(409, b"already there", {"Location": upload_id})
        upload_id = str(uuid.uuid4())
        part = {
            "part_number": 1,
            "size": wanted["contentSize"],
            "upload_url": f"{self.archive.store}/upload/{upload_id}",
        }
        return self.reply(200, {"upload_id": upload_id, "parts": [part]})

    def complete(self, upload_id: str) -> None:
        self.body()
        self.reply(200, {"complete_url": f"{self.archive.store}/complete/{upload_id}", "body": "<done/>"})

    def validate(self, upload_id: str) -> None:
        self.reply(200, {"blob_id": upload_id})

    def create(self, identifier: str, name: str, asset_id: str | None = None) -> None:
        if self.barred(True):
            return
        made = json.loads(self.body())
        content = self.archive.uploaded[made["blob_id"]]
        if asset_id is not None:
            del self.archive.dandisets[identifier].versions[name].assets[asset_id]
        asset = self.archive.add(made["metadata"]["path"], content, identifier, name, metadata=made["metadata"])
        self.reply(200, asset.row() | {"metadata": self.archive.metadata(asset)})

    _version_path = r"/api/dandisets/(\d{6})/versions/([^/]+)"
    routes = (
        ("GET", "/api/info/", info),
        ("GET", "/api/auth/token/?", auth),
        ("GET", "/api/dandisets/", dandisets),
        ("GET", r"/api/dandisets/(\d{6})/", dandiset),
        ("GET", r"/api/dandisets/(\d{6})/versions/", versions),
        ("GET", rf"{_version_path}/", version),
        ("PUT", rf"{_version_path}/", set_version),
        ("GET", rf"{_version_path}/info/", version_info),
        ("GET", rf"{_version_path}/assets/", assets),
        ("POST", rf"{_version_path}/assets/", create),
        ("PUT", rf"{_version_path}/assets/([^/]+)/", create),
        ("GET", rf"{_version_path}/assets/paths/", paths),
        ("GET", r"(?:/api/dandisets/\d{6}/versions/[^/]+|/api)/assets/([^/]+)/", asset),
        ("GET", r"(?:/api/dandisets/\d{6}/versions/[^/]+|/api)/assets/([^/]+)/info/", asset_info),
        ("GET", r"(?:/api/dandisets/\d{6}/versions/[^/]+|/api)/assets/([^/]+)/download/", download),
        ("GET", r"/api/zarr/([^/]+)/files/?", zarr_files),
        ("POST", "/api/uploads/initialize/", initialize),
        ("POST", "/api/uploads/([^/]+)/complete/", complete),
        ("POST", "/api/uploads/([^/]+)/validate/", validate),
    )


def _read(path: Path, start: int, count: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(start)
        return stream.read(count)
