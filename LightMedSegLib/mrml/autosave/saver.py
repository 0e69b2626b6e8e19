"""Keeps segments on the disk without stopping the main thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.mrml.autosave.kept_segment import KeptSegment, to_arrays
from LightMedSegLib.mrml.jobs.garbage import allow_collection, collection_held
from LightMedSegLib.storage.kept_corrections import OwnCorrections


class Saver:
    """Writes the corrections of one scene in a thread, one state at a time. All methods are for the main thread.

    failed: whether the last one is not, or not yet, on the disk. Python's garbage is not collected from save() until
    wait() is called after the end of the thread.
    """

    def __init__(self, file: OwnCorrections) -> None:
        self._file = file
        self._thread: threading.Thread | None = None
        self._warned = self.failed = False

    @property
    def busy(self) -> bool:
        """Whether a state is being written."""
        return self._thread is not None and self._thread.is_alive()

    def save(self, segments: Sequence[KeptSegment]) -> None:
        """Begin to write these segments, which nobody may change any more; after what is being written."""
        self.wait()
        self.failed = True
        self._thread = threading.Thread(target=self._write, args=(segments,), daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Delete what was written."""
        self.wait()
        self._file.forget()

    def wait(self) -> None:
        """Wait until everything is written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            allow_collection()

    def _write(self, segments: Sequence[KeptSegment]) -> None:
        try:
            with collection_held():
                self._file.write(to_arrays(segments))
            self.failed = False
        except Exception as error:
            if not self._warned:
                unexpected = not isinstance(error, OutputError)
                logging.warning("LightMedSeg: corrections are not kept for a crash. %s", error, exc_info=unexpected)
            self._warned = True
