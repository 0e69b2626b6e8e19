"""slicer.i18n: `tr` and `translate` through slicer.app.translate, with the context that Slicer computes."""

from __future__ import annotations

import inspect
import logging
import re
import types
from pathlib import Path

_PLACEHOLDER = re.compile(r"(?<!\{)\{([^{}]+)\}(?!\})")


def translate(context: str, text: str) -> str:
    import slicer

    return str(slicer.app.translate(context, text))


def getContext(sourceFile: str) -> str:
    """The file's name without suffix, preceded by its package's."""
    path = Path(sourceFile)
    return f"{path.parent.name}.{path.stem}" if (path.parent / "__init__.py").is_file() else path.stem


def tr(text: str) -> str:
    """The translation, or the text itself if the translation has other placeholders."""
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None else None
    if caller is None:
        return text
    context = getContext(caller.f_code.co_filename)
    translated = translate(context, text)
    if set(_PLACEHOLDER.findall(text)) != set(_PLACEHOLDER.findall(translated)):
        logging.warning(f"In context '{context}', the translation of '{text}' has other placeholders.")
        return text
    return translated


def make_module() -> types.ModuleType:
    module = types.ModuleType("slicer.i18n", "Translation of scripted modules.")
    for function in (tr, translate, getContext):
        setattr(module, function.__name__, function)
    return module
