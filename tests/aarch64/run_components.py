"""Run precompiled components with an independent, stock Wasmtime.

Usage: run_components.py JOBS.json

Needs PyPI's `wasmtime==48.0.0`. All jobs are one process: to start Python is what takes
most of the time under emulation. A job is an object:

    artifact   the file
    epochs     whether the engine has epochs, as the edge profile wants; else it is Wasmtime's default
    arguments  the program's
    stdin, stdout, stderr    files, the latter two to be written

Prints an object: `machine`, the CPU `features` that the kernel names, by their Rust names, and `results`,
for each job one of

    {"refused": MESSAGE}   loading failed
    {"code": CODE}         a `wasi:cli` command, run to its end
    {"exports": [NAME]}    anything else, with all of its imports instantiated: to hand a `wasi:http` program a
                           request is not in Wasmtime's C interface
"""
import ctypes
import json
import platform
import sys

import wasmtime
from wasmtime import _bindings, component

# `getauxval(3)`, and the bits of Linux's `arch/arm64/include/uapi/asm/hwcap.h`.
AT_HWCAP, AT_HWCAP2 = 16, 26
FEATURES = {
    "lse": (AT_HWCAP, 1 << 8),
    "fp16": (AT_HWCAP, 1 << 9 | 1 << 10),
    "dotprod": (AT_HWCAP, 1 << 20),
    "i8mm": (AT_HWCAP2, 1 << 13),
}


def features() -> list[str]:
    getauxval = ctypes.CDLL(None).getauxval
    getauxval.restype = ctypes.c_ulong
    getauxval.argtypes = [ctypes.c_ulong]
    return [name for name, (word, bits) in FEATURES.items() if getauxval(word) & bits == bits]


def make_engine(epochs: bool) -> wasmtime.Engine:
    config = wasmtime.Config()
    if epochs:
        config.epoch_interruption = True
    return wasmtime.Engine(config)


def run(engine: wasmtime.Engine, job: dict) -> dict:
    try:
        program = component.Component.deserialize_file(engine, job["artifact"])
    except wasmtime.WasmtimeError as error:
        return {"refused": str(error)}
    store = wasmtime.Store(engine)
    if job["epochs"]:
        store.set_epoch_deadline(1)
    wasi = wasmtime.WasiConfig()
    wasi.argv = [job["artifact"], *job["arguments"]]
    wasi.stdin_file = job["stdin"]
    wasi.stdout_file = job["stdout"]
    wasi.stderr_file = job["stderr"]
    store.set_wasi(wasi)
    linker = component.Linker(engine)
    linker.add_wasip2()
    exports = list(program.type.exports(engine))
    command = next((name for name in exports if name.startswith("wasi:cli/run@")), None)
    if command is None:
        # The package has no method for it.
        _bindings.wasmtime_context_set_wasi_http(store._context())
        linker.add_wasi_http()
    instance = linker.instantiate(store, program)
    if command is None:
        return {"exports": exports}
    interface = program.get_export_index(command)
    entry = instance.get_func(store, program.get_export_index("run", interface))
    try:
        return {"code": 0 if entry(store).tag == "ok" else 1}
    except wasmtime.ExitTrap as exit:
        return {"code": exit.code}


def main() -> None:
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    engines = {epochs: make_engine(epochs) for epochs in (False, True)}
    json.dump(
        {
            "machine": platform.machine(),
            "features": features(),
            "results": [run(engines[job["epochs"]], job) for job in jobs],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
