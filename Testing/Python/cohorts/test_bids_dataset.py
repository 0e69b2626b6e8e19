"""Which scans of a BIDS dataset are segmented, for which model, and what their results are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bids_datasets import bids_dataset
from engine_stubs import stub_card

from LightMedSegLib.cohorts.bids.contrasts import model_contrasts
from LightMedSegLib.cohorts.bids.dataset import find_bids_scans
from LightMedSegLib.cohorts.bids.names import parse_name
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.scan_folders import FoundScans
from LightMedSegLib.model.card import ModelCard

T1 = (("T1w",),)
ANY_MR = (("T1w", "T2w", "FLAIR"),)


def images(found: FoundScans) -> dict[str, str]:
    return {scan.name: scan.images[0].name for scan in found.scans}


def named_card(*channels: str, modality: str = "MR") -> ModelCard:
    content = stub_card(channels=len(channels)).to_json()
    for channel, name in zip(content["input"]["channels"], channels, strict=True):
        channel["name"] = name
    return ModelCard.from_json(content | {"modality": modality})


def test_scans_of_participants_and_sessions_are_found_by_their_suffix(tmp_path: Path) -> None:
    dataset = bids_dataset(
        tmp_path,
        "sub-01/ses-A/anat/sub-01_ses-A_T1w.nii.gz",
        "sub-01/ses-B/anat/sub-01_ses-B_acq-hi_run-2_T1w.nii",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-02/anat/sub-02_T2w.nii.gz",
        "sub-02/func/sub-02_task-rest_bold.nii.gz",
        "sub-02/anat/odd name_T1w.nii.gz",
        "derivatives/other/sub-02/anat/sub-02_desc-brain_T1w.nii.gz",
        "sourcedata/sub-09/anat/sub-09_T1w.nii.gz",
    )
    found = find_bids_scans(dataset, T1)
    assert images(found) == {
        "sub-01/ses-A/anat/sub-01_ses-A_desc-lightmedseg_dseg": "sub-01_ses-A_T1w.nii.gz",
        "sub-01/ses-B/anat/sub-01_ses-B_acq-hi_run-2_desc-lightmedseg_dseg": "sub-01_ses-B_acq-hi_run-2_T1w.nii",
        "sub-02/anat/sub-02_desc-lightmedseg_dseg": "sub-02_T1w.nii.gz",
    }
    assert [one.name for one in found.left_out] == ["sub-02/anat/odd name_T1w.nii.gz"]
    assert [*images(find_bids_scans(dataset, T1, ["02"]))] == [*images(find_bids_scans(dataset, T1, ["sub-02"]))]
    assert [*images(find_bids_scans(dataset, T1, sessions=["ses-B"]))] == [*images(found)][1:2]
    for labels, reason in ((["07"], r"has no sub-07; it has sub-01, sub-02\."), (["sub-7"], "has no sub-7;")):
        with pytest.raises(InputImageError, match=reason):
            find_bids_scans(dataset, T1, labels)
    with pytest.raises(InputImageError, match="no session ses-C"):
        find_bids_scans(dataset, T1, ["01"], ["A", "C"])


def test_of_several_contrasts_with_one_name_the_preferred_one_is_segmented(tmp_path: Path) -> None:
    names = [f"sub-01/anat/sub-01_{end}.nii.gz" for end in ("FLAIR", "T2w", "acq-x_FLAIR", "bold")]
    found = find_bids_scans(bids_dataset(tmp_path, *names), ANY_MR)
    assert [*images(found).values()] == ["sub-01_acq-x_FLAIR.nii.gz", "sub-01_T2w.nii.gz"]
    ((name, reason),) = [(one.name, one.reason) for one in found.left_out]
    assert name.endswith("/sub-01_FLAIR.nii.gz") and "named like that of sub-01_T2w.nii.gz (--contrast FLAIR" in reason


def test_a_model_of_several_channels_needs_all_contrasts(tmp_path: Path) -> None:
    names = [f"sub-{sub}/anat/sub-{sub}_{end}.nii.gz" for sub, end in (("1", "T1w"), ("1", "FLAIR"), ("2", "FLAIR"))]
    found = find_bids_scans(bids_dataset(tmp_path, *names), (("T1w",), ("FLAIR",)))
    ((scan,), (left,)) = found.scans, found.left_out
    assert [path.name for path in scan.images] == ["sub-1_T1w.nii.gz", "sub-1_FLAIR.nii.gz"]
    assert left.name == names[2] and "one is missing" in left.reason


def test_bidsignore_is_respected_but_for_ct_which_bids_does_not_define(tmp_path: Path) -> None:
    names = ["sub-01/anat/sub-01_T1w.nii.gz", "sub-02/anat/sub-02_T1w.nii.gz", "sub-02/ct/sub-02_ct.nii.gz"]
    dataset = bids_dataset(tmp_path, *names)
    (dataset / ".bidsignore").write_text("# not yet checked\nsub-02/\n**/ct/\n")
    found = find_bids_scans(dataset, T1)
    assert [*images(found).values()] == ["sub-01_T1w.nii.gz"]
    assert [(one.name, one.reason) for one in found.left_out] == [(names[1], ".bidsignore names it")]
    assert [*images(find_bids_scans(dataset, (("ct",),)))] == ["sub-02/anat/sub-02_desc-lightmedseg_dseg"]


def test_a_link_without_content_is_left_out_with_advice(tmp_path: Path) -> None:
    dataset = bids_dataset(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    (dataset / "sub-01" / "anat" / "sub-01_run-2_T1w.nii.gz").symlink_to("../../.git/annex/objects/x")
    (left,) = find_bids_scans(dataset, T1).left_out
    assert "without its content (fetch it, as with datalad get)" in left.reason


def test_a_name_of_another_participant_or_session_is_left_out(tmp_path: Path) -> None:
    names = [
        "sub-01/anat/sub-02_T1w.nii.gz",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-02/ses-A/anat/sub-02_T1w.nii.gz",
        "sub-02/ses-A/anat/sub-02_ses-A_T1w.nii.gz",
    ]
    found = find_bids_scans(bids_dataset(tmp_path, *names), T1)
    assert [*images(found).values()] == ["sub-02_T1w.nii.gz", "sub-02_ses-A_T1w.nii.gz"]
    assert [(one.name, one.reason) for one in found.left_out] == [
        (names[0], "its name does not begin with sub-01_, as its folder requires"),
        (names[2], "its name does not begin with sub-02_ses-A_, as its folder requires"),
    ]


def test_a_volume_whose_name_does_not_follow_bids_is_left_out_with_the_name_that_would(tmp_path: Path) -> None:
    names = ["odd name_T1w.nii.gz", "sub-01.nrrd", "sub-01_T1w.nii.gz", "sub-01_run-2_t1w.nii", "sub-01_t2w.nii.gz"]
    dataset = bids_dataset(tmp_path, *(f"sub-01/anat/{name}" for name in names if not name.endswith("nrrd")))
    (dataset / "sub-01" / "sub-01_T1w.nii.gz").touch()
    for name in ("sub-01.nrrd", "sub-01_T1w.json", "._sub-01_T1w.nii.gz", "old scan.nii"):
        (dataset / "sub-01" / "anat" / name).touch()
    (dataset / ".bidsignore").write_text("old*\n")
    found = find_bids_scans(dataset, T1)
    assert [*images(found).values()] == ["sub-01_T1w.nii.gz"]
    misnamed = "its name does not follow BIDS (rename it, as in sub-01_T1w.nii.gz)"
    assert {one.name.rpartition("/")[2]: one.reason for one in found.left_out} == {
        "odd name_T1w.nii.gz": misnamed,
        "sub-01.nrrd": misnamed,
        "sub-01_T1w.nii.gz": "it lies beside the folder anat, not in it",
        "sub-01_run-2_t1w.nii": "its name ends in _t1w, in BIDS that is _T1w",
    }


def test_a_folder_that_cannot_be_read_is_left_out_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = bids_dataset(tmp_path, *(f"sub-0{number}/anat/sub-0{number}_T1w.nii.gz" for number in (1, 2, 3)))
    listed = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder in (dataset / "sub-01" / "anat", dataset / "sub-02"):
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = find_bids_scans(dataset, T1)
    assert [*images(found).values()] == ["sub-03_T1w.nii.gz"]
    assert [one.name for one in found.left_out] == ["sub-01/anat", "sub-02"]
    assert {one.reason for one in found.left_out} == {"the folder cannot be read; change its permissions"}


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputImageError, match=r"is not a BIDS dataset: it has no dataset_description\.json"):
        find_bids_scans(tmp_path, T1)
    with pytest.raises(InputImageError, match="is not a folder"):
        find_bids_scans(tmp_path / "nowhere", T1)
    with pytest.raises(InputImageError, match="no scan that ends in _T1w in a folder anat"):
        find_bids_scans(bids_dataset(tmp_path, "sub-01/anat/sub-01_T2w.nii.gz"), T1)
    with pytest.raises(InputImageError, match="no scan that ends in _ct or _CT in a folder anat or ct"):
        find_bids_scans(tmp_path, (("ct", "CT"),))


@pytest.mark.parametrize(
    ("channels", "modality", "wanted", "contrasts"),
    [
        (["T1"], "MR", None, (("T1w",),)),
        (["MR"], "MR", None, (("T1w", "T2w", "FLAIR", "PDw", "T2starw"),)),
        (["CT"], "CT", None, (("ct", "CT"),)),
        (["T1", "FLAIR"], "MR", None, (("T1w",), ("FLAIR",))),
        (["a", "b"], "MR", ["T1w", "T2w"], (("T1w",), ("T2w",))),
        (["Image"], "OT", ["T2w", "T1w"], (("T2w", "T1w"),)),
    ],
)
def test_a_models_contrasts_follow_from_its_card(
    channels: list[str], modality: str, wanted: list[str] | None, contrasts: tuple[tuple[str, ...], ...]
) -> None:
    assert model_contrasts(named_card(*channels, modality=modality), wanted) == contrasts


def test_a_model_without_contrasts_needs_the_option() -> None:
    for card, wanted, reason in (
        (named_card("Image", modality="OT"), None, "no scans of the modality OT; say with --contrast"),
        (named_card("a", "b"), None, "give --contrast a suffix for each of them, such as"),
        (named_card("T1", "T2"), ["T1w"], "reads 2 volumes; give --contrast"),
    ):
        with pytest.raises(InputImageError, match=reason):
            model_contrasts(card, wanted)


def test_names_that_are_no_names_of_bids_are_not_parsed() -> None:
    for name in ("T1w.nii.gz", "sub-01.nii.gz", "sub-0_1_T1w.nii.gz", "acq-x_T1w.nii.gz", "sub-01_T1w.json", "x.nii"):
        assert parse_name(name) is None
    parsed = parse_name("sub-01_run-1_desc-brain_T1w.nii")
    assert parsed is not None and parsed.result == "sub-01_run-1_desc-lightmedseg_dseg"
