"""What pyproject.toml cannot say: packages are found, and one more lies outside the library's folder."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["LightMedSegLib", "LightMedSegLib.*"]), "LightMedSegLib._resources"],
    # Slicer's layout has Resources beside the library; an installed package has it inside.
    package_dir={"LightMedSegLib._resources": "Resources"},
)
