"""Compile the native library into the wheel where a C compiler is found, and leave it out where none is."""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeLibraryHook(BuildHookInterface):
    """Run `relational_rnn/kernels/native/build.py` for wheels and editable installs; never fail them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say that the wheel is of this platform."""
        if self.target_name != "wheel":
            return
        native = _load(Path(self.root, "src/relational_rnn/kernels/native/build.py"))
        try:
            library = native.FOLDER / native.library_name()
            if not native.is_current(library):
                native.build()
        except (native.BuildError, OSError) as error:
            print(
                f"relational-rnn without its native library (torch is used instead): {error}", file=sys.stderr
            )
            return
        if version == "editable":  # found where it lies
            return
        build_data["artifacts"].append(library.relative_to(self.root).as_posix())
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


def _load(path: Path) -> ModuleType:
    # By its path: the package's dependencies, and torch, are absent while it is built.
    spec = importlib.util.spec_from_file_location("native_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
