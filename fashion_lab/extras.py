"""The optional dependencies of `pyproject.toml`: what brings which module, and how a missing one is told."""

import importlib.util
from collections.abc import Iterable

MODULES = {  # of a module that several bring, the last one is told
    "audit": ("imagehash", "cleanlab", "sklearn", "scipy", "jinja2", "yaml"),
    "train": (
        "torch",
        "torchvision",
        "pytorch_lightning",
        "torchmetrics",
        "pytorch_metric_learning",
        "tensorboard",
        "matplotlib",
        "jinja2",
        "yaml",
        "scipy",
    ),
    "export": ("onnx", "onnxscript"),
    "onnx": ("onnxruntime",),
    "web": ("fastapi", "uvicorn", "jinja2", "python_multipart", "starlette", "prometheus_client", "pydantic"),
    "faiss": ("faiss",),
    "milvus": ("pymilvus", "milvus_lite"),
    "ray": ("ray",),
    "timm": ("timm",),
    "optuna": ("optuna",),
    "bench": ("simplejpeg",),
}
EXTRA_OF = {module: extra for extra, modules in MODULES.items() for module in modules}

TO_EXPORT = ("torch", "onnx", "onnxscript", "onnxruntime")  # what the extra `export` brings in all


class MissingExtraError(ValueError):
    """Something is asked for whose packages are not installed: a line that says how to get them."""


def is_installed(module: str) -> bool:
    """Say whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # someone keeps it from being imported
        return False


def require(modules: Iterable[str], what: str, extra: str, instead: str = "") -> None:
    """Raise MissingExtraError unless all modules are there.

    Args:
        modules: their names.
        what: what needs them, for the message.
        extra: brings all of them.
        instead: what else could be done, for the message.
    """
    missing = [module for module in modules if not is_installed(module)]
    if missing:
        raise MissingExtraError(f"{_line(what, missing[0], extra)}{f', or {instead}' if instead else ''}")


def told(error: BaseException | None, what: str) -> str | None:
    """Say which extra brings the module that an import did not find; None for any other error.

    Args:
        error: of the import, or one that it caused.
        what: what needs the module, for the message.
    """
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name in EXTRA_OF:
            return _line(what, error.name, EXTRA_OF[error.name])
        error = error.__cause__
    return None


def _line(what: str, module: str, extra: str) -> str:
    return f"{what} needs {module} of the extra {extra}: pip install 'fashion_lab[{extra}]'"
