"""What a real Slicer's PythonQt offers, in a form that the runtime and the tests read."""
