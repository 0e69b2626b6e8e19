"""Segment a folder through Slurm as Documentation/cohorts.md shows it, and compare the labels with those of one job.

    python Testing/Tools/run_on_slurm.py SCANS --model MODEL

A Slurm of one node is started for it, with its own files in a temporary folder, and stopped at the end. Needs root,
Debian's packages slurmctld, slurmd, slurm-client and munge, and the Python packages distributed and dask-jobqueue.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import SimpleITK as sitk
from dask_jobqueue import SLURMCluster

from LightMedSegLib.core.process.available_memory import available_bytes

CONFIGURATION = """
ClusterName=local
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
NodeName={host} CPUs={processors} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

PATIENCE_SECONDS = 60


@contextlib.contextmanager
def slurm() -> Iterator[None]:
    """A Slurm of this computer alone, which the Slurm commands of this process find, while the block runs."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        for part in ("state", "spool"):
            (folder / part).mkdir()
        key = folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={folder}/munge.{ending}" for option, ending in files.items()]
        configuration = folder / "slurm.conf"
        configuration.write_text(
            CONFIGURATION.format(host=socket.gethostname().split(".")[0], folder=folder, processors=os.cpu_count())
        )
        os.environ["SLURM_CONF"] = str(configuration)
        for daemon in (
            ["munged", "--force", "--foreground", *options],
            ["slurmctld", "-D", "-f", str(configuration)],
            ["slurmd", "-D", "-f", str(configuration)],
        ):
            stack.enter_context(_running(daemon))
            time.sleep(1)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "idle" not in _said_by("sinfo", "--noheader", "--format=%t"):
            if time.monotonic() > deadline:
                raise SystemExit(f"Slurm did not start:\n{(folder / 'slurmctld.log').read_text()[-2000:]}")
            time.sleep(1)
        yield


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def main() -> int:
    """Run the comparison; the exit code is 0 where all labels are the same."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scans", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lightmedseg-slurm-") as name:
        folder = Path(name)
        program = [sys.executable, "-m", "LightMedSegLib", "segment", str(chosen.scans.resolve())]
        words = ["--model", chosen.model, "--device", "cpu"]
        subprocess.run([*program, str(folder / "one"), *words], check=True)
        memory = f"{(available_bytes() or 4_000_000_000) // chosen.workers} B"
        with (
            slurm(),
            SLURMCluster(
                cores=1, processes=1, memory=memory, job_directives_skip=["--mem"], log_directory=str(folder)
            ) as cluster,
        ):
            cluster.scale(jobs=chosen.workers)
            address = str(cluster.scheduler_address)
            subprocess.run([*program, str(folder / "slurm"), *words, "--dask", address], check=True)
            print(_said_by("squeue"))
        found = sorted((folder / "one").iterdir())
        different = [path.name for path in found if _differs(path, folder / "slurm" / path.name)]
    print(f"{len(found)} results, {len(different)} of them different: {', '.join(different) or 'none'}.")
    return 1 if different or not found else 0


def _differs(one: Path, other: Path) -> bool:
    arrays = [sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in (one, other)]
    return bool((arrays[0] != arrays[1]).any())


if __name__ == "__main__":
    sys.exit(main())
