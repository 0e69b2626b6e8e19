"""Runs a scripted 3D Slicer module without the Slicer application; see README.md in this folder."""

import os

# PySide6 reads both when it is first imported: int enums without scope, and no display.
os.environ.setdefault("PYSIDE6_OPTION_PYTHON_ENUM", "0x0E")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# VTK draws through EGL: there is no X server to ask.
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
