"""A model's network on the devices that need it, and what to do where a device fails."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from LightMedSegLib.core.errors import DeviceError
from LightMedSegLib.core.out_of_memory import is_of_the_computer, is_out_of_memory

if TYPE_CHECKING:
    from LightMedSegLib.model.package import Model
    from LightMedSegLib.network.backend import Backend

Result = TypeVar("Result")

_CARD_FAILURES = ("cuda error", "cuda driver error", "cudnn", "cublas", "gpu is lost")


class LoadedNetworks:
    """The network of a model, built for each device when it is first needed there.

    cpu_path: how the network is computed on the processor, one of network.cpu.choice.CPU_PATHS. built: by device.
    """

    def __init__(self, model: Model, cpu_path: str = "auto"):
        self.built: dict[str, Backend] = {}
        self._model, self._cpu_path = model, cpu_path

    def on(self, device: str) -> Backend:
        """The network on device; raises ModelPackageError if it cannot be built."""
        if device not in self.built:
            from LightMedSegLib.network.backend import as_backend
            from LightMedSegLib.network.memory_format import fastest_format

            network: Any = self._model.build_network(device).eval()
            network = network.to(memory_format=fastest_format(device))
            if device == "cpu":
                from LightMedSegLib.network.cpu.choice import choose_cpu_path, prepare_for_cpu

                network = prepare_for_cpu(network, choose_cpu_path(self._cpu_path))
            elif device.startswith("cuda"):
                from LightMedSegLib.network.cuda.choice import prepare_for_cuda

                network = prepare_for_cuda(network)
            self.built[device] = as_backend(network)
        return self.built[device]

    def explanation(self, device: str) -> str:
        """A sentence on implementation and precision for the log and the panel."""
        if device == "cpu":
            from LightMedSegLib.network.cpu.choice import choose_cpu_path

            return choose_cpu_path(self._cpu_path).explanation
        return self.built[device].explanation

    def on_first_that_works(
        self, device: str, work: Callable[[str], Result], failed: Callable[[str], None], advice: str
    ) -> Result:
        """Return work(device), or work("cpu") after a failure of the device that the CPU does not have.

        failed gets a sentence about the failure. Raises DeviceError, with the advice, where the CPU fails too.
        """
        for name in dict.fromkeys((device, "cpu")):
            try:
                return work(name)
            except (RuntimeError, MemoryError) as error:
                reason = why_it_failed(error, name)
                if reason is None:
                    raise
                if name == "cpu" or is_of_the_computer(error):
                    raise DeviceError(f"{reason}; {advice}.") from error
                failed(f"{reason}; the CPU was used.")
            self._release(name)
        raise AssertionError("The CPU either succeeds or raises.")

    def _release(self, device: str) -> None:
        import torch

        if device.startswith("cuda"):
            # Built again next time: what lies on a card that was lost cannot be used any more.
            network = self.built.pop(device, None)
            with suppress(RuntimeError):
                if network is not None:
                    network.release()
                torch.cuda.empty_cache()


def why_it_failed(error: Exception, device: str) -> str | None:
    """The reason in words if another device, or a smaller volume, would have helped."""
    name = {"cuda": "CUDA", "mps": "The Apple GPU"}.get(device.split(":")[0], "The computer")
    if is_out_of_memory(error):
        return f"{'The computer' if is_of_the_computer(error) else name} ran out of memory"
    text = str(error).lower()
    if device == "mps" or "no kernel image" in text:
        return f"{name} cannot run this model with the installed PyTorch"
    if device.startswith("cuda") and any(words in text for words in _CARD_FAILURES):
        return f"{name} stopped working (if it happens again, restart the program)"
    return None
