//! A log in memory, for databases that need not survive their process.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{FIRST_LSN, Lsn, Wal, WalError, check_from, check_lengths};

/// A log that lives as long as this value.
#[derive(Debug)]
pub struct MemWal {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    first: Lsn,
    records: VecDeque<Arc<[u8]>>,
}

impl State {
    fn held(&self) -> Range<Lsn> {
        self.first..self.first + self.records.len() as Lsn
    }
}

impl Default for MemWal {
    fn default() -> Self {
        Self { state: Mutex::new(State { first: FIRST_LSN, records: VecDeque::new() }) }
    }
}

impl Wal for MemWal {
    fn append(&self, records: &[&[u8]]) -> Result<Range<Lsn>, WalError> {
        check_lengths(records)?;
        let mut state = self.state.lock();
        let start = state.held().end;
        state.records.extend(records.iter().map(|&record| Arc::from(record)));
        Ok(start..state.held().end)
    }

    fn read(&self, from: Lsn, visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>) -> Result<Lsn, WalError> {
        let shared: Vec<Arc<[u8]>> = {
            let state = self.state.lock();
            check_from(from, &state.held())?;
            let skipped = from.abs_diff(state.first);
            state.records.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)).cloned().collect()
        };
        let mut lsn = from;
        for record in shared {
            let flow = visit(lsn, &record);
            lsn += 1;
            if flow.is_break() {
                break;
            }
        }
        Ok(lsn)
    }

    fn truncate(&self, upto: Lsn) -> Result<(), WalError> {
        let mut state = self.state.lock();
        let held = state.held();
        if upto > held.end {
            return Err(WalError::Beyond { wanted: upto, next: held.end });
        }
        while state.first < upto {
            state.records.pop_front();
            state.first += 1;
        }
        Ok(())
    }

    fn first(&self) -> Lsn {
        self.state.lock().first
    }

    fn next(&self) -> Lsn {
        self.state.lock().held().end
    }

    fn size_bytes(&self) -> u64 {
        self.state.lock().records.iter().map(|record| record.len() as u64).sum()
    }
}
