"""Write Documentation/model-cards.md from the cards of the shipped models.

    python Testing/Tools/make_model_cards.py

A test compares the page with what this script would write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from LightMedSegLib.core.labels import Code, Label  # noqa: E402
from LightMedSegLib.model.card import ModelCard  # noqa: E402
from LightMedSegLib.model.locator import Locator  # noqa: E402

PAGE = REPOSITORY / "Documentation" / "model-cards.md"
MODELS = REPOSITORY / "Resources" / "Models"

_INTRODUCTION = """# Model cards

The structures, training data, accuracy on unseen cases and limits of each model that comes with LightMedSeg. **Research
software, not a medical device.**

`Testing/Tools/make_model_cards.py` makes this page from the cards (`Resources/Models/*/model.json`); `lightmedseg
models show NAME` prints the same for any installed model.
"""


def page(cards: Iterable[ModelCard]) -> str:
    """The whole page."""
    cards = list(cards)
    overview = table(
        ["model", "body region", "input", "segments", "mean Dice (test cases)", "weights"],
        [
            [
                f"[`{card.name}`](#{card.name})", _region(card), _modality(card), str(len(card.labels)),
                _overall(card), f"{card.weights.bytes / 1e6:.2f} MB",
            ]
            for card in cards
        ],
    )  # fmt: skip
    return "\n".join([_INTRODUCTION, overview, *(_section(card) for card in cards)])


def shipped_cards() -> list[ModelCard]:
    """The cards of all shipped models, by name."""
    return [ModelCard.from_json(path.read_bytes()) for path in sorted(MODELS.glob("*/model.json"))]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, with a line break at the end."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def _section(card: ModelCard) -> str:
    spec = card.input
    facts = [
        *([["kind", "promptable: it completes what a person marks"]] if card.promptable else []),
        ["version", f"{card.version}, {card.created}{_made_from(card)}"],
        ["input", f"{', '.join(_channel(channel.name, card) for channel in spec.channels)}; {_region(card)}"],
        ["grid that the network sees", f"{_by(spec.spacing)} mm (x, y, z), {spec.orientation}"],
        ["at a time", _view(card)],
        *([["quick preview", f"at {_by(spec.preview_spacing)} mm"]] if spec.preview_spacing else []),
        *([["made for volumes of up to", f"{_by(spec.largest_extent)} mm"]] if spec.largest_extent else []),
        *([["larger volumes", _located(spec.locator)]] if spec.locator else []),
        ["post-processing", _post_processing(card)],
        ["trained on", f"{card.training['data']} {_cases(card.training['cases'])}"],
        ["licence of the weights", card.licenses["weights"]],
        ["licence of the data", f"{card.licenses['data']}. {card.licenses.get('data_notice', '')}".strip()],
        ["SHA-256 of the weights", f"`{card.weights.sha256}`"],
    ]  # fmt: skip
    return "\n".join(
        [
            f"## {card.name}\n",
            f"**{card.title}.** {card.description} [More about it](../Resources/Models/{card.name}/README.md)\n",
            table(["", ""], facts),
            f"**Intended use.** {card.intended_use}\n",
            f"**Limits.** {card.limits}\n",
            _accuracy(card),
        ]
    )


def _accuracy(card: ModelCard) -> str:
    """Return one row for each segment with its code and its metrics on the first test, then the means of all tests."""
    tests = _tests(card)
    name, test = next(iter(tests.items()), ("", {}))
    columns = [(key, title) for key, title in _METRICS.items() if test.get(key)]
    rows = [
        [str(label.value), _colored(label), _codes(label), *(_figure(test[key], label.name, key) for key, _ in columns)]
        for label in card.labels
    ]
    parts = [table(["value", "segment", "SNOMED CT", *(title for _, title in columns)], rows)]
    if test:
        parts.append(f"Metrics are means over the {test['cases']} cases of {_called(name)}.\n")
    if len(tests) > 1:
        means = [[_called(name), str(one["cases"]), f"{one['dice_mean']:.3f}"] for name, one in tests.items()]
        parts.append(table(["test", "cases", "mean Dice"], means))
    return "\n".join(parts)


def _tests(card: ModelCard) -> dict[str, Any]:
    """Return the metrics on cases that neither training nor tuning has seen, the test part first."""
    found = {name: one for name, one in card.metrics.items() if name != "validation" and "dice" in one}
    return dict(sorted(found.items(), key=lambda item: item[0] != "test"))


def _called(name: str) -> str:
    return "the test part" if name == "test" else f"`{name}`"


_METRICS = {"dice": "Dice", "hd95_mm": "HD95 (mm)", "nsd_1mm": "NSD 1 mm", "missed": "missed in"}


def _figure(values: dict[str, Any], name: str, metric: str) -> str:
    value = values.get(name)
    if value is None:
        return "-"
    digits = {"missed": 0, "hd95_mm": 2}.get(metric, 3)
    return f"{value:.{digits}f}"


def _modality(card: ModelCard) -> str:
    """Return the modality in words; OT is DICOM's code for any other."""
    return "CT or MR" if card.modality == "OT" else card.modality


def _channel(name: str, card: ModelCard) -> str:
    """Return what a channel is, with its modality."""
    if card.modality == "OT":
        return _modality(card)
    if name == "MR":
        return "MR, any contrast"
    return name if card.modality in name else f"{name} {card.modality}"


def _region(card: ModelCard) -> str:
    return "any region" if card.body_region == "Any" else card.body_region.lower()


def _overall(card: ModelCard) -> str:
    test = next(iter(_tests(card).values()), None)
    return f"{test['dice_mean']:.3f} ({test['cases']})" if test else "not measured"


def _colored(label: Label) -> str:
    return f"{label.name} (`#{label.color[0]:02x}{label.color[1]:02x}{label.color[2]:02x}`)"


def _codes(label: Label) -> str:
    terms = label.terminology
    codes = (terms.type, terms.modifier, terms.region, terms.region_modifier)
    return ", ".join(_code(code) for code in codes if code)


def _code(code: Code) -> str:
    return f"{code.meaning} {code.value}" if code.scheme == "SCT" else f"{code.meaning} {code.scheme}:{code.value}"


def _view(card: ModelCard) -> str:
    patch = _by(reversed(card.input.patch))
    if card.input.view == "whole":
        return f"the whole volume (trained on {patch} voxels, x, y, z)"
    return f"windows of {patch} voxels (x, y, z), overlapping by {card.input.overlap:.0%}"


def _located(locator: Locator) -> str:
    labels = ", ".join(name for side in locator.sides for name in side.labels)
    return f"`{locator.model}` finds {labels}; each is segmented in a crop with {locator.margin_mm:g} mm around it"


def _post_processing(card: ModelCard) -> str:
    names = {label.value: label.name for label in card.labels}
    steps = []
    for step in card.postprocessing:
        count = len(step["labels"])
        segments = ", ".join(names[value] for value in step["labels"]) if count <= 4 else f"{count} segments"
        segments = "all segments" if count == len(names) else segments
        joint = " together" if step.get("joint") and count > 1 else ""
        least = f" below {step['minimum_ml']:g} ml" if "minimum_ml" in step else ""
        steps.append(f"{step['operation'].replace('_', ' ')}{least} ({segments}{joint})")
    return "; ".join(steps) or "none"


def _made_from(card: ModelCard) -> str:
    return f", fine-tuned from {card.parent.name}@{card.parent.version}" if card.parent else ""


def _cases(counts: dict[str, int]) -> str:
    return f"Cases: {', '.join(f'{count} {part}' for part, count in counts.items())}."


def _by(numbers: Any) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


if __name__ == "__main__":
    PAGE.write_text(page(shipped_cards()), encoding="utf-8")
    print(PAGE.relative_to(REPOSITORY))
