//! Generates programs with any features and sizes, which are not run.

use arbitrary::{Arbitrary as _, Unstructured};
use wasm_smith::{Component, Config, Module};

use crate::random::Random;

/// The number of random bytes from which a program is made.
const LENGTHS: &[usize] = &[500, 4000, 20_000, 100_000];
/// How often the generator is tried for one program.
const ATTEMPTS: usize = 16;

/// The core module of a seed. A few have invalid function bodies. `None` if the generator gave up.
pub fn module(seed: u64) -> Option<Vec<u8>> {
    let mut random = Random::new(seed, "any");
    (0..ATTEMPTS).find_map(|_| {
        let bytes = bytes(&mut random);
        let mut unstructured = Unstructured::new(&bytes);
        let config = config(&mut random, &mut unstructured)?;
        let module = Module::new(config, &mut unstructured).ok()?;
        Some(module.to_bytes())
    })
}

/// The component of a seed, which may be nested. Not all are valid: `wasm-smith` calls its
/// components a work in progress.
pub fn component(seed: u64) -> Option<Vec<u8>> {
    let mut random = Random::new(seed, "component");
    (0..ATTEMPTS).find_map(|_| {
        let bytes = bytes(&mut random);
        let mut unstructured = Unstructured::new(&bytes);
        let config = Config {
            max_modules: random.pick(&[0, 2, 10]),
            max_components: random.pick(&[0, 2, 10]),
            max_instances: random.pick(&[0, 2, 20]),
            max_aliases: random.pick(&[0, 10, 200]),
            max_nesting_depth: random.pick(&[1, 3, 10]),
            ..config(&mut random, &mut unstructured)?
        };
        let component = Component::new(config, &mut unstructured).ok()?;
        Some(component.to_bytes())
    })
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let length = random.pick(LENGTHS);
    random.bytes(length)
}

/// Features, limits and instructions: random ones of `wasm-smith`, and those that it does not
/// choose itself.
fn config(random: &mut Random, unstructured: &mut Unstructured<'_>) -> Option<Config> {
    let drawn = Config::arbitrary(unstructured).ok()?;
    Some(Config {
        min_funcs: random.pick(&[0, 1, 10]),
        min_types: random.pick(&[0, 1]),
        max_funcs: drawn.max_funcs.max(10),
        max_types: drawn.max_types.max(1),
        allow_invalid_funcs: random.chance(5),
        export_everything: random.chance(40),
        generate_custom_sections: random.chance(40),
        ..drawn
    })
}
