"""Connections to Dask clusters: one that runs, or one that is started for the time of a preparation.

    --scheduler tcp://HOST:8786   a scheduler that is there (`dask scheduler`, `dask worker`)
    --cluster local:4             processes of this machine
    --cluster slurm               jobs, by dask-jobqueue and its own configuration file
    --cluster ssh:HOST,HOST       machines of ssh
    --cluster kubernetes          pods, by dask-kubernetes

All machines need the same version of fadernets, and must see the sources and the folder of the data set by the same
paths. Clusters that are started here listen on loopback alone where they are local, and have no dashboard.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from fadernets.errors import FadernetsError, first_line

KINDS = ("local", "slurm", "ssh", "kubernetes")
INSTALL = "pip install 'fadernets[cluster]'"
CONNECT_SECONDS = 30
SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,  # `prepare` decides what becomes of a unit whose worker ended
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.worker.profile.enabled": False,  # it looks at every worker a hundred times a second
}


def check(scheduler: str | None, cluster: str | None, workers: int | None) -> None:
    """Raises FadernetsError for a cluster that cannot be."""
    if scheduler is not None and cluster is not None:
        raise FadernetsError("--scheduler and --cluster: name one of them")
    if scheduler is not None and workers is not None:
        raise FadernetsError("--workers: a scheduler that runs has its own workers; leave it out")
    if cluster is None:
        return
    kind, _, detail = cluster.partition(":")
    if kind not in KINDS:
        raise FadernetsError(f"--cluster {cluster}: is not known; allowed: local[:N], slurm, ssh:HOST,HOST, kubernetes")
    good = {"local": not detail or (detail.isdecimal() and int(detail) > 0), "ssh": bool(detail.strip(","))}
    if not good.get(kind, not detail):
        raise FadernetsError(f"--cluster {cluster}: expected local[:N], slurm, ssh:HOST,HOST or kubernetes")
    if kind == "local" and detail and workers is not None:
        raise FadernetsError(f"--cluster {cluster}: says how many workers there are; leave --workers out")


@contextmanager
def connect(scheduler: str | None, cluster: str | None, workers: int | None) -> Iterator[Any]:
    """A Dask client, and its cluster where one is started, until the block ends. Raises FadernetsError."""
    check(scheduler, cluster, workers)
    try:
        import dask.config
        from distributed import Client
    except ImportError:
        raise FadernetsError(f"--scheduler and --cluster need Dask; {INSTALL}") from None
    where = f"--cluster {cluster}" if scheduler is None else f"--scheduler {scheduler}"
    with ExitStack() as held:
        held.enter_context(dask.config.set(SETTINGS))
        try:
            target = scheduler or held.enter_context(_start(str(cluster), workers))
            client = held.enter_context(Client(target, timeout=CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError, RuntimeError, TimeoutError) as error:
            reason = first_line(error)
            raise FadernetsError(f"{where}: cannot be reached or started ({reason})") from None
        yield client


def _start(cluster: str, workers: int | None) -> Any:
    """Dask's cluster of this kind, to be closed by its `with` statement."""
    kind, _, detail = cluster.partition(":")
    if kind == "local":
        return _local(int(detail) if detail else workers)
    try:
        if kind == "slurm":
            from dask_jobqueue import SLURMCluster

            jobs = SLURMCluster()
            jobs.scale(jobs=workers or 1)
            return jobs
        if kind == "ssh":
            import asyncssh  # noqa: F401  # that SSHCluster needs
            from distributed import SSHCluster

            hosts = [host for host in detail.split(",") if host]
            options = {"nthreads": 1, "n_workers": workers or 1}
            return SSHCluster([hosts[0], *hosts], worker_options=options, scheduler_options={"dashboard": False})
        from dask_kubernetes.operator import KubeCluster

        return KubeCluster(name="fadernets", n_workers=workers or 1)
    except ImportError as error:
        package = str(error.name or "").replace("_", "-").partition(".")[0]
        raise FadernetsError(f"--cluster {cluster}: needs the package {package}; pip install {package}") from None


def _local(workers: int | None) -> Any:
    import logging
    import os

    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers or os.cpu_count() or 1,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},  # else its HTTP port is a fixed one
        silence_logs=logging.CRITICAL,
    )
