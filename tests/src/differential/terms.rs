//! Constants that the generator and the host share.

/// The export through which the host refills the counter that ends a program.
pub const FUEL: &str = "refill";
/// How many loop iterations and calls a program may do between two refills.
pub const REFILL: u32 = 500;

/// Whether edgec's whole pipeline builds the module of this seed: one of twenty.
pub fn goes_the_whole_way(seed: u64) -> bool {
    seed % 20 == 7
}
