"""The configuration files of a bundle, from a model card."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from LightMedSegLib.model.card import ModelCard

PACKAGE = "lightmedseg_monai"
"""Name of the package in the bundle that holds the copied sources."""

_PARTS = f"{PACKAGE}.export.monai_bundle.parts"


def inference(card: ModelCard, total_stride: int) -> dict[str, Any]:
    """configs/inference.json. The keys are those that MONAI's bundle specification names."""
    spec = card.input
    grid = {"spacing": list(spec.spacing), "orientation": spec.orientation}
    normalizations = [dict(channel.normalization) for channel in spec.channels]
    return {
        "imports": ["$import sys", "$import glob", "$import os"],
        "initialize": ["$sys.path.insert(1, @bundle_root)"],
        "bundle_root": ".",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "dataset_dir": "$@bundle_root + '/data'",
        "output_dir": "$@bundle_root + '/eval'",
        "datalist": "$sorted(glob.glob(os.path.join(@dataset_dir, '*.nii*')))",
        "network_def": {
            "_target_": f"{PACKAGE}.network.build_network",
            "name": card.network.name,
            "in_channels": card.in_channels,
            "num_classes": card.num_classes,
            **card.network.arguments,
        },
        "network": {"_target_": f"{_PARTS}.placed", "network": "@network_def", "device": "@device"},
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": f"{_PARTS}.ToModelGridd", "keys": "image", **grid, "normalizations": normalizations},
                {"_target_": f"{_PARTS}.NormalizeAsCardd", "keys": "image", "normalizations": normalizations},
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': path} for path in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {
            "_target_": "DataLoader",
            "dataset": "@dataset",
            "batch_size": 1,
            "shuffle": False,
            "num_workers": 0,
        },
        "inferer": {
            "_target_": f"{_PARTS}.EvenWindowsInferer",
            "patch": list(spec.patch),
            "overlap": spec.overlap,
            "multiple": total_stride,
            "channels": card.in_channels,
            "classes": card.num_classes,
            "whole": spec.view == "whole",
            "mirror": list(card.test_time_mirroring),
            "swaps": [list(pair) for pair in card.mirror_label_swaps],
            "largest": None if spec.largest_patch is None else list(spec.largest_patch),
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": f"{_PARTS}.LabelsOnVolumed",
                    "keys": "pred",
                    "volume_key": "image",
                    **grid,
                    "steps": [dict(step) for step in card.postprocessing],
                },
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_postfix": "seg",
                    "output_dtype": "$torch.uint8",
                    "resample": False,
                    "separate_folder": False,
                },
            ],
        },
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
                "map_location": "@device",
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


def metadata(card: ModelCard, total_stride: int) -> dict[str, Any]:
    """configs/metadata.json."""
    classes = {"0": "background", **{str(label.value): label.name for label in card.labels}}
    size = [f"{total_stride}*n"] * 3
    channels = {str(index): channel.name for index, channel in enumerate(card.input.channels)}
    return {
        "version": card.version,
        "changelog": {card.version: f"Exported from the LightMedSeg model {card.identifier}."},
        "monai_version": _version("monai"),
        "pytorch_version": _version("torch").split("+")[0],
        "numpy_version": _version("numpy"),
        "required_packages_version": {
            "nibabel": _version("nibabel"),
            "pytorch-ignite": _version("pytorch-ignite"),
            "SimpleITK": _version("SimpleITK"),
        },
        "supported_apps": {},
        "name": card.title,
        "task": f"Segmentation, {card.modality}, {card.body_region}",
        "description": card.description,
        "authors": "LightMedSeg contributors",
        "copyright": "; ".join(f"{key.replace('_', ' ')}: {text}" for key, text in card.licenses.items()),
        "data_source": card.training["data"],
        "data_type": "nibabel",
        "intended_use": f"{card.intended_use} {card.limits} Not a medical device.",
        "eval_metrics": card.metrics,
        "references": ["Tyagi, Rathi, Goyal: LightMedSeg, arXiv 2603.07228."],
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude" if card.modality == "MR" else "hounsfield",
                    "modality": card.modality,
                    "num_channels": card.in_channels,
                    "spatial_shape": size,
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": card.input.view != "whole",
                    "channel_def": channels,
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "segmentation",
                    "num_channels": card.num_classes,
                    "spatial_shape": size,
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": card.input.view != "whole",
                    "channel_def": classes,
                }
            },
        },
    }


_KNOWN_TO_WORK = {"monai": "1.6.1", "nibabel": "5.4.2", "pytorch-ignite": "0.5.5"}
"""What the tests run a bundle with; stands for packages that the exporting computer does not have."""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return _KNOWN_TO_WORK.get(package, platform.python_version())
