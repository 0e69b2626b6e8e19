"""Writing a bundle: a folder with configs, models, docs and the sources that it needs."""

from __future__ import annotations

import json
from pathlib import Path

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.export.monai_bundle.configuration import PACKAGE, inference, metadata
from LightMedSegLib.export.monai_bundle.sources import copied_sources
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.package import Model
from LightMedSegLib.model.promptable import refuse_promptable
from LightMedSegLib.storage.atomic_files import atomic_folder

_MODULES = ["export.monai_bundle.parts", "network"]

_README = """# {title}

{description} Research software, not a medical device.

A bundle for [MONAI](https://monai.io), exported from the LightMedSeg model {identifier}. It needs the packages that
`configs/metadata.json` names (`pip install "monai[nibabel,ignite,fire]" SimpleITK`), and nothing of LightMedSeg itself:
`{package}/` holds the parts it uses.

```
python -m monai.bundle run --config_file configs/inference.json --bundle_root . --dataset_dir SCANS --output_dir RESULTS
```

segments every NIfTI file in SCANS; the labels are `0` background, {labels}.{differences}

Intended use: {use}

Limits: {limits}

Licences: {licenses}.
"""


def export_monai_bundle(model: Model, folder: str | Path) -> None:
    """Write model as a bundle into folder, which must not exist yet; complete or not at all.

    Raises OutputError if folder exists or cannot be written, DependencyError without torch, ModelPackageError for a
    damaged model and for a promptable one.
    """
    folder = Path(folder)
    check_bundle_path(folder)
    refuse_promptable(model.card, "be a MONAI bundle")
    network = model.build_network()
    import torch

    card, stride = model.card, int(network.total_stride)  # type: ignore[arg-type]
    try:
        with atomic_folder(folder) as made:
            texts = {
                "configs/inference.json": _json(inference(card, stride)),
                "configs/metadata.json": _json(metadata(card, stride)),
                "docs/README.md": _readme(model),
                "docs/model.json": card.to_text(),
                "LICENSE": _license(model),
                **{f"{PACKAGE}/{name}": text for name, text in copied_sources(_MODULES, PACKAGE).items()},
            }
            for name, text in texts.items():
                path = made / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            (made / "models").mkdir()
            # A pickle: MONAI's CheckpointLoader and monai.bundle.load read nothing else. This program never reads it.
            torch.save(network.state_dict(), made / "models" / "model.pt")
    except FileExistsError:
        raise OutputError(f"{folder} exists already; choose the name of a new folder.") from None


def check_bundle_path(folder: Path) -> None:
    """Raise OutputError if folder exists."""
    if folder.exists():
        raise OutputError(f"{folder} exists already; choose the name of a new folder.")


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _readme(model: Model) -> str:
    card = model.card
    return _README.format(
        title=card.title,
        description=card.description,
        identifier=card.identifier,
        package=PACKAGE,
        labels=", ".join(f"`{label.value}` {label.name}" for label in card.labels),
        differences=_differences(card),
        use=card.intended_use,
        limits=card.limits,
        licenses="; ".join(f"{key.replace('_', ' ')}: {text}" for key, text in card.licenses.items()),
    )


def _differences(card: ModelCard) -> str:
    """What LightMedSeg does for a scan and the bundle does not."""
    told = " The bundle warns of nothing: neither of an unusual scan nor of an implausible result."
    if card.input.locator is not None:
        told += " Give crops around the structures: the bundle does not find them in a larger volume."
    if card.input.preview_spacing is not None:
        told += " It segments a large scan as a whole, without first searching for the part that holds the structures."
    if card.input.background_value is not None:
        told += " It also looks at the windows that hold air alone."
    removed = [label.name for label in card.labels if label.value in card.removed_with_skull]
    if removed:
        told += f" The bundle looks for {' and '.join(removed)} in scans without the skull too."
    return told


def _license(model: Model) -> str:
    """What applies to the weights, and the notice of the copied sources."""
    licenses = model.card.licenses
    return (
        f"Weights (models/model.pt): {licenses['weights']}.\n"
        f"Data they were trained on: {licenses['data']}. {licenses.get('data_notice', '')}\n\n"
        f"Sources ({PACKAGE}/): part of LightMedSeg, Apache License, Version 2.0,\n"
        "https://www.apache.org/licenses/LICENSE-2.0\n"
    )
