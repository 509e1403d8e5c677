//! One case: compares a program at every level of the optimizer with the original.

use std::collections::BTreeMap;

use edgec_compiler::{
    EngineProfile, Failure, KindChoice, Level, ModuleOutcome, Optimizer, ProgramKind,
    ValidComponent,
};
use wasmtime::component::Component;
use wasmtime::{Config, Engine, Module};

use super::behaviour::{self, Behaviour, Original, Unknown, behaviour};
use super::generator::Generator;
use super::terms::goes_the_whole_way;
use crate::stock;

/// The function that optimizes a module: Binaryen, or a replacement.
pub use edgec_compiler::Optimize;

/// The engines, the optimizer and the generator that all cases use.
pub struct Bench {
    engine: Engine,
    commands: Engine,
    stock: Engine,
    edge: Engine,
    /// The optimizer under test.
    pub optimizer: Optimizer,
    generator: Generator,
    /// What command programs become. In a build, edgec's rule decides this.
    pub kind: KindChoice,
    /// The levels that are tried.
    pub levels: Vec<Level>,
    /// Called with the seed and the level before each level is tried.
    pub progress: Box<dyn Fn(u64, Level)>,
}

/// The source of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Made {
    /// A core module of `wasm-smith`.
    Module,
    /// A command program.
    Command,
    /// A changed module of the public suites.
    Mutation,
}

/// The result of a case.
#[derive(Debug)]
pub struct Report {
    /// The source of its program.
    pub made: Made,
    /// Why nothing was compared, if so.
    pub skipped: Option<&'static str>,
    /// How many levels changed the program, so that its behaviour was compared.
    pub compared: usize,
    /// At how many levels the engine's limits cut the comparison short.
    pub cut_short: usize,
    /// The number of levels that did not optimize the program, by the reason.
    pub kept: BTreeMap<String, usize>,
    /// The number of calls that the unoptimized program answered.
    pub calls: usize,
    /// Whether it was instantiated.
    pub started: bool,
    /// Whether it was compared with stock Wasmtime: as built by edgec's whole pipeline, or as a
    /// command program.
    pub whole: bool,
    /// The difference, if there is one.
    pub difference: Option<Difference>,
}

/// A difference between a program and the optimized program.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The levels, or the engine profiles of whole builds.
    pub levels: String,
    /// The behaviour of the original program.
    pub before: String,
    /// The behaviour at the first of those levels.
    pub after: String,
}

impl Bench {
    /// A bench with a generator, and with an optimizer in this process.
    pub fn new(optimize: Optimize, generator: Generator) -> Self {
        let mut stock = Config::new();
        stock.wasm_backtrace_max_frames(None);
        let mut edge = stock.clone();
        edge.epoch_interruption(true);
        let engine = |config: &Config| Engine::new(config).expect("settings that go together");
        Self {
            engine: behaviour::engine(),
            commands: engine(&behaviour::settings()),
            stock: engine(&stock),
            edge: engine(&edge),
            optimizer: Optimizer {
                program: "/nonexistent".into(),
                arguments: Vec::new(),
                tool: edgec_compiler::Tool::Binaryen,
                version: edgec_compiler::BINARYEN_VERSION.into(),
                timeout: std::time::Duration::from_secs(60),
                memory: 8 << 30,
                reads: edgec_compiler::Reads::Binaryen116,
                spared: Default::default(),
                runs: edgec_compiler::Runs::By(optimize),
                answers: None,
            },
            generator,
            kind: KindChoice::Auto,
            levels: levels().collect(),
            progress: Box::new(|_, _| {}),
        }
    }

    /// The source of a seed's case. One case in a hundred is a command program. If there are
    /// suites, seven of ten others are mutations: they take a third of the time of new modules, and
    /// find as much.
    pub fn made(&self, seed: u64) -> Made {
        match seed % 100 {
            99 => Made::Command,
            _ if !self.generator.has_suites() || matches!(seed % 10, 2 | 4 | 7) => Made::Module,
            _ => Made::Mutation,
        }
    }

    /// The program of a seed, if the generator makes one.
    pub fn program(&self, seed: u64) -> Option<Vec<u8>> {
        self.generator.program(self.made(seed), seed)
    }

    /// Runs a case.
    pub fn case(&self, seed: u64) -> Report {
        let Some(wasm) = self.program(seed) else {
            return Report::skipped(self.made(seed), "the generator gave up");
        };
        self.case_of(seed, self.made(seed), &wasm)
    }

    /// Runs a case with this program.
    pub fn case_of(&self, seed: u64, made: Made, wasm: &[u8]) -> Report {
        let mut report = Report::skipped(made, "");
        report.skipped = match made {
            Made::Command => self.command(seed, wasm, &mut report),
            _ => self.module(seed, wasm, &mut report),
        }
        .err();
        report
    }

    fn module(&self, seed: u64, wasm: &[u8], report: &mut Report) -> Result<(), &'static str> {
        let Ok(program) = edgec_compiler::validate(wasm.to_vec()) else {
            return Err("not a program that edgec takes");
        };
        let original = Original::new(&self.engine, wasm);
        let before = match behaviour(&original, &original.module, seed) {
            Ok(before) => before,
            Err(Unknown::Host) => return Err("imports what the host does not have"),
            Err(Unknown::Engine) => return Err("not instantiated, for the engine's limits"),
        };
        report.calls = before.calls;
        report.started = before.started;
        let mut known: BTreeMap<Vec<u8>, Option<(String, String)>> = BTreeMap::new();
        for level in self.levels.iter().copied() {
            (self.progress)(seed, level);
            let Some(after) = self.optimized(&program, level, report) else {
                continue;
            };
            let difference = known.entry(after).or_insert_with_key(|after| {
                let Ok(module) = Module::new(&self.engine, after) else {
                    return Some(("compiles".to_owned(), "does not compile".to_owned()));
                };
                match behaviour(&original, &module, seed) {
                    Ok(after) => {
                        report.cut_short += usize::from(before.exhausted() || after.exhausted());
                        before.difference(&after)
                    }
                    Err(why) => Some(("runs".to_owned(), format!("{why:?}"))),
                }
            });
            report.differs(level.name(), difference.clone());
        }
        if made_whole(report.made, seed) {
            self.whole(seed, wasm, &program, report);
        }
        Ok(())
    }

    /// The optimized program, if it differs from the original.
    fn optimized(
        &self,
        program: &ValidComponent,
        level: Level,
        report: &mut Report,
    ) -> Option<Vec<u8>> {
        let optimized =
            edgec_compiler::optimize(program.clone(), level, &self.optimizer, |_, _| {})
                .expect("enough time and memory");
        for module in &optimized.modules {
            if let ModuleOutcome::Kept(reason) = &module.outcome {
                *report.kept.entry(without_numbers(reason)).or_default() += 1;
            }
        }
        let bytes = optimized.component.bytes();
        (bytes != program.bytes()).then(|| {
            report.compared += 1;
            bytes.to_vec()
        })
    }

    /// Compares the module, built by edgec for this machine and each engine profile, with stock
    /// Wasmtime.
    #[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
    fn whole(&self, seed: u64, wasm: &[u8], program: &ValidComponent, report: &mut Report) {
        let target = edgec_targets::find(std::env::consts::ARCH).expect("this machine is a target");
        let original = Original::new(&self.stock, wasm);
        let Ok(before) = behaviour(&original, &original.module, seed) else {
            return;
        };
        report.whole = true;
        for (profile, level, engine) in [
            (EngineProfile::Default, Level::O1, &self.stock),
            (EngineProfile::Edge, Level::O2, &self.edge),
        ] {
            (self.progress)(seed, level);
            let program = program.clone();
            let optimized = edgec_compiler::optimize(program, level, &self.optimizer, |_, _| {})
                .expect("enough time and memory");
            let mut program = optimized.component;
            if profile == EngineProfile::Edge {
                program = edgec_compiler::order(program);
            }
            let (bare, _) = edgec_compiler::take_names(&program);
            let program = bare.unwrap_or(program);
            let after = edgec_compiler::precompile(&program, target, profile)
                .map_err(|error| error.to_string())
                .and_then(|mut image| {
                    image.strip().map_err(|error| error.to_string())?;
                    image.trim(&program).map_err(|error| error.to_string())?;
                    // SAFETY: the image was compiled by this process a moment ago.
                    unsafe { Module::deserialize(engine, image.bytes()) }
                        .map_err(|error| error.to_string())
                })
                .map(|module| behaviour_on(engine, &original, wasm, &module, seed));
            let difference = match after {
                Ok(Ok(after)) => before.difference(&after),
                Ok(Err(why)) => Some(("runs".to_owned(), format!("{why:?}"))),
                Err(error) => Some(("builds".to_owned(), error)),
            };
            report.differs(&format!("{profile:?}"), difference);
        }
    }

    fn command(&self, seed: u64, wasm: &[u8], report: &mut Report) -> Result<(), &'static str> {
        let input =
            edgec_compiler::read(wasm.to_vec()).map_err(|_| "not a program that edgec takes")?;
        let Ok(adapted) = edgec_compiler::adapt(input, self.kind) else {
            return Err("the adapter does not take it");
        };
        let program = adapted.component;
        let arguments = ["one", "two"];
        let run = |wasm: &[u8], kind: ProgramKind| match kind {
            ProgramKind::Module => Module::new(&self.commands, wasm)
                .map(|it| stock::run_module(&self.commands, &it, &arguments, "")),
            _ => Component::new(&self.commands, wasm)
                .map(|it| stock::run(&self.commands, &it, &arguments, "")),
        };
        let kind = program.kind();
        let before = run(program.bytes(), kind).map_err(|_| "the engine does not take it")?;
        report.started = true;
        report.calls = 1;
        // Stock runs the program as a core module. If it traps, it may behave differently as a
        // component, because the adapter's pages may follow its memory.
        let stock = run(wasm, ProgramKind::Module).map_err(|_| "the engine does not take it")?;
        if kind != ProgramKind::Module && stock.code != stock::TRAPPED {
            report.whole = true;
            report.differs(
                "0",
                (stock != before).then(|| (told(&stock), told(&before))),
            );
        }
        for level in self.levels.iter().copied() {
            (self.progress)(seed, level);
            let Some(after) = self.optimized(&program, level, report) else {
                continue;
            };
            let difference = match run(&after, kind) {
                Ok(after) if after == before => None,
                Ok(after) => Some((told(&before), told(&after))),
                Err(error) => Some(("compiles".to_owned(), error.to_string())),
            };
            report.differs(level.name(), difference);
        }
        Ok(())
    }
}

/// The module's behaviour, with host items that belong to its engine.
fn behaviour_on(
    engine: &Engine,
    original: &Original,
    wasm: &[u8],
    module: &Module,
    seed: u64,
) -> Result<Behaviour, Unknown> {
    match Engine::same(engine, original.module.engine()) {
        true => behaviour(original, module, seed),
        false => behaviour(&Original::new(engine, wasm), module, seed),
    }
}

fn made_whole(made: Made, seed: u64) -> bool {
    made == Made::Module && goes_the_whole_way(seed)
}

/// Every level except `-O0`.
pub fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| *level != Level::O0)
}

/// A reason without its numbers, so that it is the same for all programs.
fn without_numbers(reason: &Failure) -> String {
    let text = reason.to_string();
    let words = text.split(' ');
    let words = words.map(|word| match word.parse::<u64>() {
        Ok(_) => "N",
        Err(_) => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn told(behaviour: &stock::Behaviour) -> String {
    let digest = |bytes: &[u8]| {
        let sum = bytes.iter().fold(0_u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
        });
        format!("{} bytes {sum:x}", bytes.len())
    };
    let (out, err) = (digest(&behaviour.stdout), digest(&behaviour.stderr));
    format!("exit code {}, output {out}, errors {err}", behaviour.code)
}

impl Report {
    /// The report on a case in which nothing was compared.
    pub fn skipped(made: Made, why: &'static str) -> Self {
        Self {
            made,
            skipped: Some(why),
            compared: 0,
            cut_short: 0,
            kept: BTreeMap::new(),
            calls: 0,
            started: false,
            whole: false,
            difference: None,
        }
    }

    fn differs(&mut self, level: &str, difference: Option<(String, String)>) {
        let Some((before, after)) = difference else {
            return;
        };
        match &mut self.difference {
            Some(first) => first.levels += &format!(", {level}"),
            None => {
                self.difference = Some(Difference {
                    levels: level.to_owned(),
                    before,
                    after,
                });
            }
        }
    }
}
