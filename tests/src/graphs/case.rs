//! One case: compares a flattened component with the original.

use std::collections::BTreeMap;

use edgec_compiler::Reads;
use edgec_graphs::Choices;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::behaviour::{self, Behaviour, Traps, behaviour};
use super::pass::{Flatten, Flattened, instances};

/// The engines and the pass that all cases use.
pub struct Bench {
    engine: Engine,
    stock: Engine,
    /// The pass under test.
    pub flatten: Flatten,
}

/// The result of a case.
#[derive(Debug, Default)]
pub struct Report {
    /// Why nothing was compared, if so.
    pub skipped: Option<String>,
    /// How many core instances the component makes, before and after.
    pub instances: (usize, usize),
    /// How many core instances were not merged, by the reason.
    pub kept: BTreeMap<String, usize>,
    /// The number of calls that the original answered, and of its calls of the host.
    pub calls: (usize, usize),
    /// Whether it was instantiated.
    pub started: bool,
    /// Whether it was compared with stock Wasmtime.
    pub stock: bool,
    /// Whether the engine's stack cut the comparison short.
    pub cut_short: bool,
    /// The difference, if there is one.
    pub difference: Option<Difference>,
}

/// A difference between a component and the flattened component.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What was compared.
    pub what: String,
    /// In the original.
    pub before: String,
    /// In the flattened component.
    pub after: String,
}

/// Stock Wasmtime runs the components of this share of the seeds too, and the pass runs twice.
const STOCK: u64 = 25;

impl Bench {
    /// A bench for this pass.
    pub fn new(flatten: Flatten) -> Self {
        Self {
            engine: behaviour::engine(),
            stock: behaviour::stock(),
            flatten,
        }
    }

    /// The component of a seed, as text.
    pub fn text(seed: u64) -> String {
        edgec_graphs::graph(&mut Choices::of_seed(seed))
    }

    /// Runs a case.
    pub fn case(&self, seed: u64) -> Report {
        self.case_of(seed, &Self::text(seed))
    }

    /// Runs a case with this component, as text.
    pub fn case_of(&self, seed: u64, text: &str) -> Report {
        let mut report = Report::default();
        if let Err(why) = self.compare(seed, text, &mut report) {
            report.skipped = Some(why);
        }
        report
    }

    fn compare(&self, seed: u64, text: &str, report: &mut Report) -> Result<(), String> {
        let wasm = wat::parse_str(text).map_err(|error| format!("no text: {error}"))?;
        let program = edgec_compiler::validate(wasm)
            .map_err(|error| format!("not a program that edgec takes: {error}"))?;
        let reads = match seed % 3 {
            0 => Reads::Binaryen116,
            _ => Reads::Everything,
        };
        let Flattened {
            bytes,
            kept,
            defect,
        } = (self.flatten)(&program, reads);
        report.kept = kept;
        report.instances = (instances(program.bytes()), instances(&bytes));
        if let Some(defect) = defect {
            report.differs("the pass", "no defect", &defect);
        }
        let original = Component::new(&self.engine, program.bytes())
            .map_err(|error| format!("the engine does not take it: {error:#}"))?;
        let before =
            behaviour(&original, seed, Traps::Each).ok_or("imports what the host does not have")?;
        report.calls = (before.calls, before.host_calls);
        report.started = before.started;
        let stock = seed.is_multiple_of(STOCK);
        if stock {
            self.stock(seed, program.bytes(), &before, "the original", report);
        }
        if bytes == program.bytes() {
            return Ok(());
        }
        if let Err(error) = edgec_compiler::validate(bytes.clone()) {
            report.differs("validation", "valid", &error.to_string());
            return Ok(());
        }
        if stock {
            let again = (self.flatten)(&program, reads);
            if again.bytes != bytes {
                report.differs("a second run of the pass", "the same bytes", "other bytes");
            }
            self.stock(seed, &bytes, &before, "the flattened one", report);
        }
        let after = Component::new(&self.engine, &bytes)
            .map(|component| behaviour(&component, seed, Traps::Each));
        match after {
            Ok(Some(after)) => report.compared("the engine", &before, &after),
            Ok(None) => report.differs("imports", "the host's", "others"),
            Err(error) => report.differs("the engine", "compiles", &format!("{error:#}")),
        }
        Ok(())
    }

    /// Runs a component on stock Wasmtime.
    fn stock(&self, seed: u64, wasm: &[u8], before: &Behaviour, which: &str, report: &mut Report) {
        report.stock = true;
        let what = format!("stock Wasmtime with {which}");
        let ran = Component::new(&self.stock, wasm)
            .map(|component| behaviour(&component, seed, Traps::Each));
        match ran {
            Ok(Some(ran)) => report.compared(&what, before, &ran),
            Ok(None) => report.differs(&what, "the host's imports", "others"),
            Err(error) => report.differs(&what, "compiles", &format!("{error:#}")),
        }
    }
}

impl Report {
    /// Whether the pass merged anything.
    pub fn flattened(&self) -> bool {
        self.instances.1 < self.instances.0
    }

    fn compared(&mut self, what: &str, before: &Behaviour, after: &Behaviour) {
        self.cut_short |= before.exhausted() || after.exhausted();
        if let Some((before, after)) = before.difference(after) {
            self.differs(what, &before, &after);
        }
    }

    fn differs(&mut self, what: &str, before: &str, after: &str) {
        self.difference.get_or_insert(Difference {
            what: what.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
        });
    }
}
