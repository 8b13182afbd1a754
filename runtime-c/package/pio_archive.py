"""Adds the archive for the board's core to PlatformIO's link.

The folders have the names that Arduino looks for: src/CORE/FPU-ABI, src/CORE/ABI or src/CORE.
"""

import os
import sys

Import("env")  # noqa: F821

SRC = os.path.join(os.getcwd(), "src")


def option(name):
    """Returns the value of the compiler's option -NAME=VALUE, or an empty text."""
    flags = env.Flatten([env.get("CCFLAGS", []), env.get("CXXFLAGS", [])])  # noqa: F821
    values = [str(flag).partition("=")[2] for flag in flags if str(flag).startswith("-" + name + "=")]
    return values[-1] if values else ""


def folders():
    """Returns the folders that may have the archive, the best first."""
    board = env.BoardConfig()  # noqa: F821
    core = option("mcpu").partition("+")[0] or board.get("build.cpu", "") or board.get("build.mcu", "")
    abi = option("mfloat-abi")
    if abi in ("hard", "softfp"):
        yield os.path.join(core, option("mfpu") + "-" + abi)
        yield os.path.join(core, abi)
    yield core


found = [name for name in folders() if os.path.isfile(os.path.join(SRC, name, "libmore.a"))]
if not found:
    sys.stderr.write("more: no archive for %s; src/ has one folder for each core\n" % list(folders())[-1])
    env.Exit(1)  # noqa: F821
env.Prepend(LIBPATH=[os.path.join(SRC, found[0])], LIBS=["more"])  # noqa: F821
