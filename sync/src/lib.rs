//! Keeps a store current with references in registries, in waves and behind gates.
