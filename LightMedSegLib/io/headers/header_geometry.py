"""Geometry in the header of an image file of any format."""

from __future__ import annotations

from pathlib import Path

from LightMedSegLib.io.headers.metaimage_geometry import metaimage_geometry
from LightMedSegLib.io.headers.nifti_geometry import nifti_geometry
from LightMedSegLib.io.headers.nrrd_geometry import nrrd_geometry
from LightMedSegLib.io.headers.stated_geometry import StatedGeometry
from LightMedSegLib.io.metaimage_header import metaimage_fields
from LightMedSegLib.io.nifti_header import read_nifti_header
from LightMedSegLib.io.nrrd_header import nrrd_fields

NIFTI_SUFFIXES = (".nii", ".nii.gz")
NRRD_SUFFIXES = (".nrrd", ".nhdr")
METAIMAGE_SUFFIXES = (".mha", ".mhd")
_NIFTI_PAIR = (".hdr", ".img")
HEADER_SUFFIXES = (*NIFTI_SUFFIXES, *_NIFTI_PAIR, *NRRD_SUFFIXES, *METAIMAGE_SUFFIXES)


def header_geometry(path: Path) -> StatedGeometry:
    """Return the geometry in the header of a NIfTI, NRRD or MetaImage file; only the header is read.

    The file contains a 3D volume. Raises InputImageError for a header without a valid geometry, and OSError.
    """
    name = path.name.lower()
    if name.endswith(NIFTI_SUFFIXES):
        return nifti_geometry(read_nifti_header(path), str(path))
    if name.endswith(_NIFTI_PAIR):
        return nifti_geometry(read_nifti_header(path.with_suffix(".hdr")), str(path))
    if name.endswith(NRRD_SUFFIXES):
        return nrrd_geometry(nrrd_fields(path), str(path))
    return metaimage_geometry(metaimage_fields(path), str(path))
