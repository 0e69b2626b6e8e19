"""Which parts of the body a DICOM code or a card's text speaks of."""

from __future__ import annotations

_WORDS: dict[str, tuple[str, ...]] = {
    "head": ("head", "brain", "skull", "face", "facial", "orbit", "maxilla", "mandib", "jaw", "sella", "cereb", "crani",
             "hippocamp", "sinus", "iac", "pituitar", "tmj"),
    "neck": ("neck", "larynx", "pharynx", "thyroid", "cspine", "cervical", "carotid", "parotid"),
    "chest": ("chest", "thora", "lung", "heart", "cardi", "breast", "tspine", "coronar", "rib", "sternum", "mediastin"),
    "abdomen": ("abdom", "liver", "kidney", "pancrea", "spleen", "lspine", "lumbar", "bowel", "colon", "stomach"),
    "pelvis": ("pelvi", "hip", "prostat", "bladder", "uter", "rect", "sacrum", "ovar", "lsspine"),
    "arm": ("arm", "shoulder", "elbow", "wrist", "hand", "finger", "humerus", "clavicle", "upperlimb", "extremit"),
    "leg": ("leg", "knee", "ankle", "foot", "femur", "tibia", "thigh", "calf", "lowerlimb", "extremit"),
}  # fmt: skip

_EVERYTHING = ("wholebody", "body", "spine")
"""Codes that say too little: of a spine without its part anything may be seen."""


def regions_of(text: str) -> frozenset[str]:
    """The parts of the body that text names; empty where it names none that is known."""
    letters = "".join(character for character in text.casefold() if character.isalpha())
    return frozenset(region for region, words in _WORDS.items() if any(word in letters for word in words)) or (
        frozenset(_WORDS) if letters in _EVERYTHING else frozenset()
    )


def contradicts(recorded: str, wanted: str) -> bool:
    """Whether two texts name parts of the body, and none of them in common."""
    first, second = regions_of(recorded), regions_of(wanted)
    return bool(first and second and not first & second)
