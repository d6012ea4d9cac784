"""A server on this machine that speaks the part of Hugging Face's hub that huggingface_hub asks for models.

Repositories live in memory: commits by name, branches that point to them. Files of weights are kept as LFS does.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

import yaml

LFS = (".onnx", ".safetensors", ".pt")
TOKEN = "hf_test"
MODEL = "pop-lieder"  # bundled: what the tests push and pull
NAME = "someone/pop-lieder"
FILES = {"README.md", "config.json", "decoder.onnx", "encoder.onnx", "model.json"}


@dataclass
class Repository:
    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, branch: str, files: dict[str, bytes], message: str = "") -> str:
        """Let a branch have these files; the commit's name."""
        text = json.dumps(
            [branch, len(self.commits), sorted((k, hashlib.sha1(v).hexdigest()) for k, v in files.items())]
        )
        name = hashlib.sha1(text.encode()).hexdigest()
        self.commits[name], self.branches[branch] = dict(files), name
        self.messages.append(message)
        return name

    def files(self, branch: str = "main") -> dict[str, bytes]:
        return self.commits[self.branches[branch]]


class Hub(ThreadingHTTPServer):
    """`repositories` by OWNER/NAME; `asked`: method and path of every request; `spoiled`: path -> what is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.spoiled: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def repository(self, name: str, files: dict[str, bytes], private: bool = False) -> Repository:
        """Make a repository that holds these files."""
        made = self.repositories[name] = Repository(private)
        made.commit("main", files)
        return made


@contextmanager
def served() -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    with Hub() as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class RefusalError(Exception):
    def __init__(self, status: int, code: str = "", **body: object) -> None:
        self.status, self.code, self.body = status, code, body


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def handle_any(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        try:
            if self.command != "GET" and self.command != "HEAD" and "yaml" not in path and "/lfs/" not in path:
                self.check_token()
            self.route(path.strip("/").split("/"))
        except RefusalError as refusal:
            self.send(refusal.body, refusal.status, {"X-Error-Code": refusal.code})

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def check_token(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise RefusalError(401)

    def send(self, body: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def route(self, parts: list[str]) -> None:
        match parts:
            case ["api", "repos", "create"]:
                self.create()
            case ["api", "validate-yaml"]:
                self.validate()
            case ["api", "models", owner, name]:
                self.describe(self.found(owner, name), f"{owner}/{name}", "main")
            case ["api", "models", owner, name, "revision", revision]:
                self.describe(self.found(owner, name), f"{owner}/{name}", revision)
            case ["api", "models", owner, name, "tree", revision]:
                self.tree(self.found(owner, name), revision)
            case ["api", "models", owner, name, "branch", branch]:
                repository = self.found(owner, name)
                if branch in repository.branches:
                    raise RefusalError(409)
                repository.branches[branch] = repository.branches["main"]
                self.send({})
            case ["api", "models", owner, name, "preupload", _]:
                self.found(owner, name)
                asked = json.loads(self.body)["files"]
                modes = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(LFS) else "regular",
                        "shouldIgnore": False,
                    }
                    for file in asked
                ]
                self.send({"files": modes})
            case ["api", "models", owner, name, "commit", branch]:
                self.commit(self.found(owner, name), f"{owner}/{name}", branch)
            case [_, _, "info", "lfs", "objects", "batch"]:
                asked = json.loads(self.body)["objects"]
                actions = {"upload": {"href": f"{self.server.address}/lfs/"}}
                rows = [
                    {**row, "actions": {"upload": {"href": actions["upload"]["href"] + row["oid"]}}} for row in asked
                ]
                self.send({"transfer": "basic", "objects": rows})
            case ["lfs", digest]:
                assert hashlib.sha256(self.body).hexdigest() == digest
                self.server.objects[digest] = self.body
                self.send({})
            case [owner, name, "resolve", revision, *path]:
                self.resolve(self.found(owner, name), revision, "/".join(path))
            case _:
                raise RefusalError(404)

    def found(self, owner: str, name: str) -> Repository:
        repository = self.server.repositories.get(f"{owner}/{name}")
        if repository is None:
            raise RefusalError(404, "RepoNotFound")
        if repository.private:
            self.check_token()
        return repository

    def at(self, repository: Repository, revision: str) -> str:
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            raise RefusalError(404, "RevisionNotFound")
        return commit

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.server.repositories:
            raise RefusalError(409, error="You already created this model repo", url=f"{self.server.address}/{name}")
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.server.repository(name, {".gitattributes": b"*.onnx filter=lfs\n"}, private)
        self.send({"url": f"{self.server.address}/{name}"})

    def validate(self) -> None:
        _, front, _ = json.loads(self.body)["content"].split("---\n", 2)
        if not isinstance(yaml.safe_load(front), dict):
            raise RefusalError(400, errors=[{"message": "no mapping"}])
        self.send({"errors": [], "warnings": []})

    def rows(self, files: dict[str, bytes]) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for path, content in files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            row: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": blob}
            if path.endswith(LFS):
                digest = hashlib.sha256(content).hexdigest()
                row["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
            rows.append(row)
        return rows

    def describe(self, repository: Repository, name: str, revision: str) -> None:
        commit = self.at(repository, revision)
        files = [{"rfilename": row["path"], "size": row["size"]} for row in self.rows(repository.commits[commit])]
        self.send({"id": name, "sha": commit, "private": repository.private, "siblings": files})

    def tree(self, repository: Repository, revision: str) -> None:
        self.send(self.rows(repository.commits[self.at(repository, revision)]))

    def resolve(self, repository: Repository, revision: str, path: str) -> None:
        commit = self.at(repository, revision)
        content = repository.commits[commit].get(path)
        if content is None:
            raise RefusalError(404, "EntryNotFound")
        (row,) = self.rows({path: content})
        lfs = row.get("lfs")
        etag = lfs["oid"] if isinstance(lfs, dict) else row["oid"]
        sent = self.server.spoiled.get(path, content)
        self.send(sent, headers={"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"})

    def commit(self, repository: Repository, name: str, branch: str) -> None:
        files = dict(repository.commits[self.at(repository, branch)])
        message = ""
        for line in self.body.splitlines():
            row = json.loads(line)
            value = row["value"]
            if row["key"] == "header":
                message = value["summary"]
            elif row["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
            elif row["key"] == "deletedFile":
                del files[value["path"]]
        commit = repository.commit(branch, files, message)
        self.send({"commitUrl": f"{self.server.address}/{name}/commit/{commit}", "commitOid": commit})
