"""The sample volumes of the extension, for Slicer's Sample Data module and the button "Try it"."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.gui.panel import Panel
from LightMedSegLib.io.sample_data import SAMPLES, sample_path

CATEGORY = "LightMedSeg"
TRY_IT = "head"

CHECKSUMS = {
    "head": "SHA256:dbef371c1c7e2fa707d7f3c14f87d710e41ad8f2736d2c7a2831bad8af54449f",
    "hippocampus": "SHA256:4200e58fc07055f80bf880cf63aaf7d88c56000e126bd2adedffdb54bf7eeac5",
}
NODE_NAMES = {"head": "Colin27Head", "hippocampus": "MNI152LeftHippocampus"}

MODELS = {"head": "brain-structures-mr", "hippocampus": "hippocampus-t1-mr"}
"""The model that each sample is there to show."""

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


def fill_panel(panel: Panel, sample: str = TRY_IT) -> None:
    """Choose a sample and its model in the version in use; a dialog reports a missing sample."""
    with slicer.util.tryWithErrorDisplay(_("The sample could not be loaded."), waitCursor=True):
        panel.state.current.inputVolume = load_sample(sample)
    for card in panel.logic.store.cards_in_use():
        if card.name == MODELS[sample]:
            panel.state.current.model = card.identifier
    panel.update()


def load_sample(sample: str) -> Any:
    """The volume node of a sample, loaded once per scene. Raises InputImageError."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(_SAMPLE_ATTRIBUTE) == sample and node.GetImageData() is not None:
            return node
    path = sample_path(sample)
    try:
        node = slicer.util.loadVolume(str(path), {"name": NODE_NAMES[sample]})
    except RuntimeError as error:
        raise InputImageError(
            _("The sample volume {path} could not be loaded; install the extension again.").format(path=path)
        ) from error
    node.SetAttribute(_SAMPLE_ATTRIBUTE, sample)
    return node
