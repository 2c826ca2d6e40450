//! The catalog in memory, for databases that need not survive their process.

use std::collections::BTreeMap;
use std::ops::Bound;

use parking_lot::{Mutex, MutexGuard};

use super::{Check, Meta, MetaError, Op, Rev, check_lengths};

/// A catalog that lives as long as this value.
#[derive(Debug, Default)]
pub struct MemMeta {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    rev: Rev,
    values: BTreeMap<String, Vec<u8>>,
}

impl MemMeta {
    fn state(&self) -> Result<MutexGuard<'_, State>, MetaError> {
        let state = self.state.lock();
        if state.closed { Err(MetaError::Closed) } else { Ok(state) }
    }
}

impl Meta for MemMeta {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, MetaError> {
        Ok(self.state()?.values.get(key).cloned())
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, MetaError> {
        let state = self.state()?;
        let from = state.values.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let found = from.take_while(|(key, _)| key.starts_with(prefix));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn commit(&self, checks: &[Check], ops: &[Op]) -> Result<Rev, MetaError> {
        check_lengths(ops)?;
        let mut state = self.state()?;
        for check in checks {
            if !check.holds(state.values.get(check.key()).map(Vec::as_slice)) {
                return Err(MetaError::Conflict { key: check.key().to_owned() });
            }
        }
        for op in ops {
            match op {
                Op::Put { key, value } => state.values.insert(key.clone(), value.clone()),
                Op::Delete { key } => state.values.remove(key),
            };
        }
        state.rev += u64::from(!ops.is_empty());
        Ok(state.rev)
    }

    fn rev(&self) -> Result<Rev, MetaError> {
        Ok(self.state()?.rev)
    }

    fn close(&self) {
        *self.state.lock() = State { closed: true, ..State::default() };
    }
}
