//! Calls of WASI preview 1 with random operands.
//!
//! The host has an empty standard input, standard output and standard error, some arguments, and no
//! folders. Results of calls are stored, so that they are printed with the memory.
//!
//! Some calls are left out, which docs/preview1.md names: with pointers that are not aligned or not
//! in bounds, with one pointer for two results, and with only empty buffers for reading and
//! writing.

use wasm_encoder::{InstructionSink, MemArg, ValType};

use crate::random::Random;

/// The kind of an operand.
#[derive(Clone, Copy)]
enum Operand {
    /// A descriptor, which may not exist.
    Descriptor,
    /// A descriptor that may be closed. Standard output stays open, because the test needs its
    /// content.
    Closable,
    /// The address of a result that is shorter than [`ROOM`].
    Out,
    /// The same, for a result of at most this many bytes. The next operand is its length.
    Buffer,
    Length,
    /// Buffers and their number. They are written before the call.
    Vectors,
    Count,
    /// A text, and its length. The text is written before the call.
    Path,
    PathLength,
    /// One of several numbers, for example flags.
    Of(&'static [i32]),
    /// An offset or a time.
    Long,
    /// A set of rights.
    Rights,
}

use Operand::{
    Buffer, Closable, Count, Descriptor, Length, Long, Of, Out, Path, PathLength, Rights, Vectors,
};

/// A function of the host, with its operands. The result is an i32.
type Function = (&'static str, &'static [Operand]);

/// Functions for which the adapter has the same results as the engine.
const SAME: &[Function] = &[
    ("args_sizes_get", &[Out, Out]),
    ("args_get", &[Out, Out]),
    ("environ_sizes_get", &[Out, Out]),
    ("environ_get", &[Out, Out]),
    ("sched_yield", &[]),
    ("fd_write", &[Descriptor, Vectors, Count, Out]),
    ("fd_read", &[Descriptor, Vectors, Count, Out]),
    ("fd_close", &[Closable]),
    ("fd_renumber", &[Closable, Closable]),
    ("fd_fdstat_get", &[Descriptor, Out]),
    ("fd_filestat_get", &[Descriptor, Out]),
    ("fd_prestat_get", &[Descriptor, Out]),
    ("path_create_directory", &[Descriptor, Path, PathLength]),
    ("path_remove_directory", &[Descriptor, Path, PathLength]),
    ("path_unlink_file", &[Descriptor, Path, PathLength]),
    (
        "path_filestat_get",
        &[Descriptor, Of(&[0, 1]), Path, PathLength, Out],
    ),
    (
        "path_readlink",
        &[Descriptor, Path, PathLength, Buffer, Length, Out],
    ),
    (
        "path_rename",
        &[Descriptor, Path, PathLength, Descriptor, Path, PathLength],
    ),
    (
        "path_symlink",
        &[Path, PathLength, Descriptor, Path, PathLength],
    ),
    (
        "path_link",
        &[
            Descriptor,
            Of(&[0, 1]),
            Path,
            PathLength,
            Descriptor,
            Path,
            PathLength,
        ],
    ),
    (
        "path_filestat_set_times",
        &[
            Descriptor,
            Of(&[0, 1]),
            Path,
            PathLength,
            Long,
            Long,
            Of(&[0, 1, 4]),
        ],
    ),
];
/// Functions for which it has different results. A program that imports one must stay a core
/// module.
const DIFFERENT: &[Function] = &[
    ("fd_advise", &[Descriptor, Long, Long, Of(&[0, 1, 5])]),
    ("fd_datasync", &[Descriptor]),
    (
        "fd_fdstat_set_flags",
        &[Descriptor, Of(&[0, 1, 2, 4, 8, 16])],
    ),
    ("fd_sync", &[Descriptor]),
    ("fd_filestat_set_size", &[Descriptor, Long]),
    ("fd_pread", &[Descriptor, Vectors, Count, Long, Out]),
    ("fd_prestat_dir_name", &[Descriptor, Buffer, Length]),
    ("fd_pwrite", &[Descriptor, Vectors, Count, Long, Out]),
    ("fd_readdir", &[Descriptor, Buffer, Length, Long, Out]),
    ("fd_seek", &[Descriptor, Long, Of(&[0, 1, 2]), Out]),
    ("fd_tell", &[Descriptor, Out]),
    (
        "path_open",
        &[
            Descriptor,
            Of(&[0, 1]),
            Path,
            PathLength,
            Of(&[0, 1, 2, 4, 8, 9]),
            Rights,
            Rights,
            Of(&[0, 1, 4]),
            Out,
        ],
    ),
];

/// The place, number and distance of the host's results. Some lie at the end of the memory.
const RESULTS: i32 = 4096;
const PLACES: usize = 60;
const ROOM: i32 = 64;
/// The places of the vectors and the path of a call.
const VECTORS: i32 = 3072;
const PATH: i32 = 3200;
/// The place where the number that each call returns is stored.
const ERRORS: i32 = 3328;

/// The functions that a program may call.
pub struct Host {
    functions: Vec<Function>,
    /// How many calls there were.
    calls: i32,
}

impl Host {
    /// Some functions. With `different`, also some for which the adapter has different results.
    pub fn new(random: &mut Random, different: bool) -> Self {
        let share = random.pick(&[20, 50, 100]);
        let mut functions = SAME.to_vec();
        functions.retain(|_| random.chance(share));
        if different {
            functions.push(DIFFERENT[random.below(DIFFERENT.len())]);
        }
        Self {
            functions,
            calls: 0,
        }
    }

    /// The names of the functions, and their parameters.
    pub fn imports(&self) -> impl Iterator<Item = (&'static str, Vec<ValType>)> {
        self.functions.iter().map(|(name, operands)| {
            let types = operands.iter().map(|operand| match operand {
                Long | Rights => ValType::I64,
                _ => ValType::I32,
            });
            (*name, types.collect())
        })
    }

    /// Writes a call. `first` is the number of the first of these functions, and `end` is the size
    /// of the memory in bytes.
    pub fn call(
        &mut self,
        code: &mut InstructionSink<'_>,
        random: &mut Random,
        first: u32,
        end: i32,
    ) {
        if self.functions.is_empty() {
            return;
        }
        let number = random.below(self.functions.len());
        let (_, operands) = self.functions[number];
        let word = MemArg {
            offset: 0,
            align: 0,
            memory_index: 0,
        };
        let length = random.pick(&[0, 1, 7, 64]);
        let texts: [&[u8; 8]; 5] = [
            b"missing\0",
            b"a/b\0\0\0\0\0",
            b"..\0\0\0\0\0\0",
            b"/\0\0\0\0\0\0\0",
            b"\0\0\0\0\0\0\0\0",
        ];
        let text = random.pick(&texts);
        let count = random.pick(&[1, 1, 2]);
        if operands.iter().any(|it| matches!(it, Path)) {
            code.i32_const(PATH)
                .i64_const(i64::from_le_bytes(*text))
                .i64_store(word);
        }
        if operands.iter().any(|it| matches!(it, Vectors)) {
            for vector in 0..count {
                let length = match vector {
                    0 => random.pick(&[1, 5, 64]),
                    _ => random.pick(&[0, 1, 5]),
                };
                let from = random.pick(&[0, 1023, RESULTS, end - length]);
                for (at, value) in [(0, from), (4, length)] {
                    code.i32_const(VECTORS + 8 * vector + at);
                    code.i32_const(value).i32_store(word);
                }
            }
        }
        code.i32_const(ERRORS + 4 * self.calls);
        // Results of one call do not overlap, but they may overwrite earlier ones.
        let mut place = random.below(PLACES) as i32;
        let mut at_end = false;
        for operand in operands {
            place += 1;
            let value = match operand {
                Descriptor => random.pick(&[0, 1, 2, 3, 4, 99, -1]),
                Closable => random.pick(&[0, 2, 3, 99, -1]),
                Out if !at_end && random.chance(5) => {
                    at_end = true;
                    end - ROOM
                }
                Out | Buffer => RESULTS + ROOM * place,
                Length => length,
                Vectors => VECTORS,
                Count => count,
                Path => PATH,
                PathLength => text.iter().take_while(|byte| **byte != 0).count() as i32,
                Of(numbers) => random.pick(numbers),
                Long => {
                    code.i64_const(random.pick(&[0, 1, 100, -1, 1 << 40]));
                    continue;
                }
                Rights => {
                    code.i64_const(random.pick(&[0, 2, 64, (1 << 30) - 1]));
                    continue;
                }
            };
            code.i32_const(value);
        }
        code.call(first + number as u32).i32_store(word);
        self.calls += 1;
    }
}
