"""SampleData: the registry, and loading of samples whose addresses are local files."""

from __future__ import annotations

import types
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer


@dataclass
class SampleDataSource:
    """One registered sample; the lists have one entry for each file."""

    sampleName: str
    uris: list[str]
    fileNames: list[str]
    nodeNames: list[str]
    thumbnailFileName: str | None
    checksums: list[str | None]
    loadFileTypes: list[str | None]
    customDownloader: Any


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


class SampleDataLogic:
    """What a module calls to register and load samples."""

    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str | None = None) -> None:
        """Only Slicer 5.11 and newer have it."""
        slicer.modules.sampleDataSources.setdefault(category, [])

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom", sampleName: Any = None, uris: Any = None, fileNames: Any = None,
        nodeNames: Any = None, customDownloader: Any = None, thumbnailFileName: str | None = None,
        loadFileTypes: Any = None, loadFiles: Any = None, loadFileProperties: Any = None, checksums: Any = None,
        loadFileType: Any = None,
    ) -> None:  # fmt: skip
        """Raises ValueError for lists of different lengths, FileNotFoundError for a missing thumbnail."""
        addresses, names, nodes = _as_list(uris), _as_list(fileNames), _as_list(nodeNames)
        sums = _as_list(checksums) if checksums is not None else [None] * len(addresses)
        kinds = _as_list(loadFileTypes or loadFileType)
        kinds = kinds if len(kinds) == len(addresses) else [kinds[0]] * len(addresses)
        if len({len(addresses), len(names), len(nodes), len(sums)}) != 1:
            raise ValueError(f"The sample '{sampleName}' has lists of different lengths.")
        if thumbnailFileName is not None and not Path(thumbnailFileName).is_file():
            raise FileNotFoundError(f"The thumbnail {thumbnailFileName} does not exist.")
        source = SampleDataSource(
            str(sampleName), addresses, names, nodes, thumbnailFileName, sums, kinds, customDownloader
        )
        sources = slicer.modules.sampleDataSources.setdefault(category, [])
        sources[:] = [known for known in sources if known.sampleName != source.sampleName] + [source]

    def sourceForSampleName(self, name: str) -> SampleDataSource | None:
        sources = [source for sources in slicer.modules.sampleDataSources.values() for source in sources]
        return next((source for source in sources if source.sampleName == name), None)

    def downloadSamples(self, name: str) -> list[Any]:
        """The loaded nodes. Raises ValueError for an unknown sample, a remote address or a wrong checksum."""
        source = self.sourceForSampleName(name)
        if source is None:
            raise ValueError(f"There is no sample '{name}'.")
        return [
            self._load(*entry)
            for entry in zip(source.uris, source.nodeNames, source.checksums, source.loadFileTypes, strict=False)
        ]

    def downloadSample(self, name: str) -> Any:
        return self.downloadSamples(name)[0]

    @staticmethod
    def _load(address: str, node_name: str, checksum: str | None, file_type: str | None) -> Any:
        parts = urllib.parse.urlparse(address)
        if parts.scheme not in ("", "file"):
            raise ValueError(f"The runtime downloads nothing: {address}")
        path = urllib.parse.unquote(parts.path)
        if checksum is not None:
            algorithm, digest = slicer.util.extractAlgoAndDigest(checksum)
            if slicer.util.computeChecksum(algorithm, path) != digest:
                raise ValueError(f"The file {path} does not have the checksum {checksum}.")
        return slicer.util.loadNodeFromFile(path, file_type, {"name": node_name})


def make_module() -> types.ModuleType:
    module = types.ModuleType("SampleData", "Fake of Slicer's sample data module.")
    logic = SampleDataLogic()
    members = {
        "SampleDataLogic": SampleDataLogic, "SampleDataSource": SampleDataSource,
        "downloadSample": logic.downloadSample, "downloadSamples": logic.downloadSamples,
    }  # fmt: skip
    for name, value in members.items():
        setattr(module, name, value)
    return module
