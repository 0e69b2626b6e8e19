"""Volumes, labelmaps and datasets from and to files, with the checks that ITK leaves out."""
