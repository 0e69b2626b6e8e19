"""Run MONAI bundles with MONAI alone: python run_bundles.py SCANS RESULTS BUNDLE...

The scans and results of each bundle are in a folder of its name. This program's own library cannot be imported here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.modules["LightMedSegLib"] = None  # type: ignore[assignment]


def main(scans: str, results: str, *bundles: str) -> None:
    """Run, load and verify each bundle as MONAI's commands do."""
    import torch
    from monai import bundle as monai_bundle

    torch.set_num_threads(1)
    for folder in bundles:
        configs = {
            "config_file": f"{folder}/configs/inference.json",
            "meta_file": f"{folder}/configs/metadata.json",
        }
        name = Path(folder).name
        monai_bundle.run(
            **configs,
            bundle_root=folder,
            dataset_dir=f"{scans}/{name}",
            output_dir=f"{results}/{name}",
            device="cpu",
        )
        monai_bundle.verify_net_in_out(net_id="network_def", device="cpu", p=1, n=2, **configs)
        loaded: Any = monai_bundle.load(
            Path(folder).name, bundle_dir=str(Path(folder).parent), device="cpu", workflow_type="inference"
        )
        weights = torch.load(f"{folder}/models/model.pt", weights_only=True)
        assert all(torch.equal(tensor, weights[name]) for name, tensor in loaded.state_dict().items())


if __name__ == "__main__":
    main(*sys.argv[1:])
