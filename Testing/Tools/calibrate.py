"""Makes a packaged model's confidence honest: fits a temperature on validation cases and divides the logits by it.

    python Testing/Tools/calibrate.py MODEL_FOLDER --config RECIPE.toml --prepared FOLDER [--report-only]

The labels do not change, because all logits are divided alike: the temperature goes into the last layer's weights.
The weights are stored in float16, as they ship.
The expected calibration error before and after, on the validation and the test part, goes into the card's metrics.
With [synthesis] in the recipe the parts are images made from the held-out labelmaps.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Benchmarks")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from calibration import Voxels, expected_calibration_error, fit_temperature, sample_voxels  # noqa: E402

from LightMedSegLib.learning.model_input import window_rule  # noqa: E402
from LightMedSegLib.learning.prepared_case import read_prepared  # noqa: E402
from LightMedSegLib.model.package import load_model  # noqa: E402
from LightMedSegLib.network.cpu import accelerate  # noqa: E402
from LightMedSegLib.training.configuration.reader import read_configuration  # noqa: E402
from LightMedSegLib.training.packaging import update_package  # noqa: E402
from LightMedSegLib.training.run import read_run_split  # noqa: E402
from LightMedSegLib.training.synthesis.images import synthetic_cases  # noqa: E402

LAST_LAYER = "head.classify."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--report-only", action="store_true", help="leave the weights as they are")
    arguments = parser.parse_args()
    configuration = read_configuration(arguments.config)
    split = read_run_split(configuration, arguments.config.parent)
    assert split is not None
    network = accelerate(load_model(arguments.model).build_network().eval())
    cases = {case.name: case for case in read_prepared(arguments.prepared, configuration)}
    rule = window_rule(configuration, network)
    parts: dict[str, Voxels] = {}
    for part in ("validation", "test"):
        chosen = [cases[name] for name in getattr(split, part)]
        if configuration.synthesis.active:
            chosen = synthetic_cases(configuration, chosen, torch.device("cpu"))
        parts[part] = sample_voxels(network, chosen, rule, configuration.test_time_mirroring)
    temperature = 1.0 if arguments.report_only else fit_temperature(parts["validation"])
    calibration = {
        "temperature": round(temperature, 3),
        **{f"ece_{part}_before": round(expected_calibration_error(voxels), 4) for part, voxels in parts.items()},
        **{f"ece_{part}": round(expected_calibration_error(voxels, temperature), 4) for part, voxels in parts.items()},
    }
    print(calibration)
    if not arguments.report_only:
        weights = {
            name: (value / np.float32(temperature) if name.startswith(LAST_LAYER) else value).astype(np.float16)
            for name, value in load_model(arguments.model).weights().items()
        }
        update_package(arguments.model, weights, {"calibration": calibration})
    return 0


if __name__ == "__main__":
    sys.exit(main())
