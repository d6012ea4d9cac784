"""The routes of a watched folder: its pieces, and edits written back beside them."""

from __future__ import annotations

from pathlib import PurePath
from typing import Protocol

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from fadernets.errors import FadernetsError
from fadernets.studio import edit_types, types
from fadernets.studio.downloads import Download
from fadernets.studio.watched_folder import WatchedFolder
from fadernets.web.guard import problems


class Render(Protocol):
    """Renders an edit when it is its client's turn."""

    async def __call__(self, request: Request, body: edit_types.RenderRequest) -> Download:
        """The file."""


def add_folder_routes(app: FastAPI, folder: WatchedFolder | None, render: Render) -> None:
    """Add the routes; without a folder, there are no pieces, and nothing can be written."""

    @app.get("/api/folder", responses=problems(400))
    async def pieces() -> types.FolderInfo:
        """The pieces of the folder that --folder watches, the newest first; ask again to see new ones."""
        if folder is None:
            return types.FolderInfo(folder=None, pieces=[])
        files = await run_in_threadpool(folder.pieces)
        rows = [types.FolderPiece(name=each.name, id=each.piece, edited=each.edited) for each in files]
        return types.FolderInfo(folder=str(folder.path), pieces=rows)

    @app.post("/api/folder/write", responses=problems(400, 404, 429, 503))
    async def write(request: Request, body: edit_types.FolderRequest) -> types.FolderWritten:
        """Write an edit beside its file: NAME-edited.mid, or a score."""
        if folder is None:
            raise FadernetsError("no folder is watched; start the studio with --folder DIR")
        file = await render(request, edit_types.RenderRequest(**body.model_dump()))
        suffix = PurePath(file.name).suffix
        name = await run_in_threadpool(folder.write, body.piece, suffix, file.data)
        return types.FolderWritten(name=name)
