"""The exceptions of the runtime's own: what Slicer would not raise."""


class ContractViolationError(Exception):
    """What PythonQt only prints, or does not notice at all: collected, so that the test fails at its end."""


class StricterRuleError(AssertionError):
    """Something that Slicer would let pass, and that is nearly always a mistake: the test runtime's own rule."""

    def __init__(self, what: str, in_slicer: str) -> None:
        super().__init__(f"{what}. {in_slicer}; refused by the test runtime's own rule.")
