//! Runs a command program as stock Wasmtime does: as a core module.
//!
//! This implements the functions of WASI preview 1 that the generated programs call.

use wasmtime::{Caller, Engine, Error, Extern, Instance, Linker, Module, Result, Store};

use crate::stock::Behaviour;

struct State {
    stdout: Vec<u8>,
    code: Option<i32>,
    arguments: Vec<&'static str>,
}

/// What the module does, with these arguments after the program's name. `None` when it traps: as a
/// component it may not, since the adapter's pages may follow its memory.
pub fn run(engine: &Engine, wasm: &[u8], arguments: &[&'static str]) -> Option<Behaviour> {
    let module = Module::new(engine, wasm).ok()?;
    let mut linker = Linker::new(engine);
    link(&mut linker).expect("four functions");
    let state = State {
        stdout: Vec::new(),
        code: None,
        arguments: [&["guest"], arguments].concat(),
    };
    let mut store = Store::new(engine, state);
    let imports = module
        .imports()
        .map(|import| linker.get_by_import(&mut store, &import));
    let imports: Vec<Extern> = imports.collect::<Option<_>>()?;
    let instance = Instance::new(&mut store, &module, &imports).ok()?;
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .ok()?;
    let ended = start.call(&mut store, ());
    let state = store.into_data();
    if ended.is_err() && state.code.is_none() {
        return None;
    }
    Some(Behaviour {
        stdout: state.stdout,
        stderr: Vec::new(),
        code: state.code.unwrap_or(0),
    })
}

fn link(linker: &mut Linker<State>) -> Result<()> {
    const WASI: &str = "wasi_snapshot_preview1";
    linker.func_wrap(
        WASI,
        "fd_write",
        |mut caller: Caller<'_, State>, fd: i32, vectors: i32, count: i32, out: i32| {
            assert_eq!((fd, count), (1, 1), "the made-up programs write so");
            let from = read(&mut caller, vectors)?;
            let length = read(&mut caller, vectors + 4)?;
            let bytes = memory(&mut caller, from, length)?.to_vec();
            caller.data_mut().stdout.extend(bytes);
            write(&mut caller, out, &length.to_le_bytes())?;
            Ok(0)
        },
    )?;
    linker.func_wrap(
        WASI,
        "proc_exit",
        |mut caller: Caller<'_, State>, code: i32| -> Result<()> {
            caller.data_mut().code = Some(code);
            Err(Error::msg("exit"))
        },
    )?;
    linker.func_wrap(
        WASI,
        "args_sizes_get",
        |mut caller: Caller<'_, State>, count: i32, length: i32| {
            let arguments = caller.data().arguments.clone();
            let bytes: usize = arguments.iter().map(|it| it.len() + 1).sum();
            write(&mut caller, count, &(arguments.len() as i32).to_le_bytes())?;
            write(&mut caller, length, &(bytes as i32).to_le_bytes())?;
            Ok(0)
        },
    )?;
    linker.func_wrap(
        WASI,
        "args_get",
        |mut caller: Caller<'_, State>, mut places: i32, mut texts: i32| {
            for argument in caller.data().arguments.clone() {
                write(&mut caller, places, &texts.to_le_bytes())?;
                let text = [argument.as_bytes(), &[0]].concat();
                write(&mut caller, texts, &text)?;
                places += 4;
                texts += text.len() as i32;
            }
            Ok(0)
        },
    )?;
    Ok(())
}

fn memory<'a>(caller: &'a mut Caller<'_, State>, from: i32, length: i32) -> Result<&'a mut [u8]> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Err(Error::msg("no memory"));
    };
    let (from, length) = (
        from.cast_unsigned() as usize,
        length.cast_unsigned() as usize,
    );
    let bytes = memory.data_mut(caller).get_mut(from..from + length);
    bytes.ok_or_else(|| Error::msg("beyond the memory"))
}

fn read(caller: &mut Caller<'_, State>, from: i32) -> Result<i32> {
    let bytes = memory(caller, from, 4)?;
    Ok(i32::from_le_bytes(bytes.try_into().expect("four bytes")))
}

fn write(caller: &mut Caller<'_, State>, to: i32, bytes: &[u8]) -> Result<()> {
    memory(caller, to, bytes.len() as i32)?.copy_from_slice(bytes);
    Ok(())
}
