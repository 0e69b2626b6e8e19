"""The sample volumes of the extension, for Slicer's Sample Data module and the button "Try it"."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.gui.panel import Panel
from LightMedSegLib.io.sample_data import SAMPLES, sample_path

CATEGORY = "LightMedSeg"
TRY_IT, TRY_IT_MODEL = "hippocampus", "hippocampus-t1-mr"

CHECKSUMS = {
    "hippocampus": "SHA256:4200e58fc07055f80bf880cf63aaf7d88c56000e126bd2adedffdb54bf7eeac5",
    "brain": "SHA256:a68c49a18d6579bff650b43a61066b21eecf67e3c51fa2d24de46d6195554c89",
}
NODE_NAMES = {"hippocampus": "MNI152LeftHippocampus", "brain": "MNI152Brain"}

_SAMPLE_ATTRIBUTE = "LightMedSeg.Sample"


def register_samples(thumbnail: str | None = None) -> None:
    """Add the installed samples to Slicer's Sample Data module; nothing is ever downloaded.

    thumbnail: the path of a picture for all of them.
    """
    try:
        import SampleData
    except ImportError:
        # Slicer can be started without this module.
        return
    for sample, file_name in SAMPLES.items():
        try:
            path = sample_path(sample)
        except InputImageError:
            continue
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=NODE_NAMES[sample],
            uris=path.as_uri(),
            fileNames=file_name,
            nodeNames=NODE_NAMES[sample],
            checksums=CHECKSUMS[sample],
            thumbnailFileName=thumbnail,
        )


def fill_panel(panel: Panel) -> None:
    """Choose the sample for the first try and its model in the version in use; a dialog reports a missing sample."""
    with slicer.util.tryWithErrorDisplay(_("The sample could not be loaded."), waitCursor=True):
        panel.state.current.inputVolume = load_try_it_volume()
    for card in panel.logic.store.cards_in_use():
        if card.name == TRY_IT_MODEL:
            panel.state.current.model = card.identifier
    panel.update()


def load_try_it_volume() -> Any:
    """The volume node of the sample for the first try, loaded once per scene. Raises InputImageError."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(_SAMPLE_ATTRIBUTE) == TRY_IT and node.GetImageData() is not None:
            return node
    path = sample_path(TRY_IT)
    try:
        node = slicer.util.loadVolume(str(path), {"name": NODE_NAMES[TRY_IT]})
    except RuntimeError as error:
        raise InputImageError(
            _("The sample volume {path} could not be loaded; install the extension again.").format(path=path)
        ) from error
    node.SetAttribute(_SAMPLE_ATTRIBUTE, TRY_IT)
    return node
