"""PySide6 widgets that behave as PythonQt's do: what PythonQt refuses is refused here, with a sentence."""
