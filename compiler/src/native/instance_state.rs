//! Reads the state of an instance for Wizer, through the accessors that Wizer added.

use std::collections::HashMap;

use wasmtime::component::{ComponentNamedList, Instance, Lift, WasmList};
use wasmtime::{ResourceLimiter, Store, error::Error};
use wasmtime_wizer::ComponentInstanceState;

/// A memory grows up to the program's own limit. If this machine has too little memory, growth
/// traps: otherwise the program would see the failure, and the snapshot would contain it.
pub(crate) struct GrowthOrTrap;

impl ResourceLimiter for GrowthOrTrap {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error> {
        Ok(maximum.is_none_or(|most| desired <= most))
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<(), Error> {
        Err(error)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error> {
        Ok(maximum.is_none_or(|most| desired <= most))
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<(), Error> {
        Err(error)
    }
}

/// The instance, after its function was called.
pub(crate) struct State {
    store: Store<GrowthOrTrap>,
    instance: Instance,
    /// Wizer asks for each memory twice, and asking makes a memory grow.
    memories: HashMap<String, Vec<u8>>,
    /// The first error, because Wizer's trait cannot return errors.
    failure: Option<Error>,
}

impl State {
    pub(crate) fn new(store: Store<GrowthOrTrap>, instance: Instance) -> Self {
        Self {
            store,
            instance,
            memories: HashMap::new(),
            failure: None,
        }
    }

    /// The reason why the state cannot be used, if there is one.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    fn call<R, T>(
        &mut self,
        instance: &str,
        name: &str,
        result: impl FnOnce(&Store<GrowthOrTrap>, R) -> T,
    ) -> Option<T>
    where
        R: Lift + 'static,
        (R,): ComponentNamedList + Lift + 'static,
    {
        let mut call = || {
            let missing = || Error::msg(format!("no accessor {instance}.{name}"));
            let outer = self.instance.get_export(&mut self.store, None, instance);
            let (_, outer) = outer.ok_or_else(missing)?;
            let inner = self
                .instance
                .get_export(&mut self.store, Some(&outer), name);
            let (_, inner) = inner.ok_or_else(missing)?;
            let accessor = self
                .instance
                .get_typed_func::<(), (R,)>(&mut self.store, inner)?;
            accessor.call(&mut self.store, ())
        };
        match call() {
            Ok((value,)) => Some(result(&self.store, value)),
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }
}

impl ComponentInstanceState for State {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        if !self.memories.contains_key(func) {
            let bytes = self.call(instance, func, |store, list: WasmList<u8>| {
                list.as_le_slice(store).to_vec()
            });
            self.memories
                .insert(func.to_owned(), bytes.unwrap_or_default());
        }
        contents(self.memories.get(func).map_or(&[], Vec::as_slice));
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func, |_, value| value).unwrap_or(0)
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func, |_, value| value).unwrap_or(0)
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        let bits = self.call(instance, func, |_, value: f32| value.to_bits());
        bits.unwrap_or(0)
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        let bits = self.call(instance, func, |_, value: f64| value.to_bits());
        bits.unwrap_or(0)
    }
}
