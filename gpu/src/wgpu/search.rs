//! What callers ask of a device.
use super::*;

impl Backend for Wgpu {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn upload(&self, base: Corpus<'_>) -> Result<Arc<dyn Resident>, BackendError> {
        let (kind, len) = (base.kind(), base.len());
        let cell = self.caps.cells.iter().find(|(one, _)| *one == kind);
        let Some(&(_, metric)) = cell else { return Err(BackendError::Unsupported { kind, metric: Metric::L2 }) };
        if u32::try_from(len).is_err() {
            return Err(BackendError::Failed { reason: format!("ids of {len} rows pass 32 bits") });
        }
        let (owner, shared) = (self.number, &self.shared);
        let (form, dim, slot) = match (base, programs::element(kind)) {
            (Corpus::Rows(rows), Some(element)) => {
                let layout = Layout::new(rows, element, shared.part_bytes)?;
                let slot = self.pool.insert(layout.bytes(len), || held::upload(shared, element, &layout, rows))?;
                (Form::Rows(element), rows.dim(), slot)
            }
            (Corpus::Sq { .. } | Corpus::Pq4(_) | Corpus::RaBitQ { .. }, _) => {
                let shape = Shape::new(base)?;
                let slot = self.pool.insert(shape.bytes(len), || codes::upload(shared, &shape, base))?;
                (Form::Codes(shape), 0, slot)
            }
            (Corpus::Rows(_), None) => return Err(BackendError::Unsupported { kind, metric }),
        };
        Ok(Arc::new(Held { owner, kind, form, dim, len, slot }))
    }

    fn scan(
        &self,
        queries: Queries<'_>,
        base: &dyn Resident,
        find: &Find<'_>,
        out: &mut [TopK],
    ) -> Result<(), BackendError> {
        let held = self.held(base, find.metric)?;
        checks::scan(&checks::Shape::new(held, held.dim), queries, find, out)?;
        if let Form::Codes(shape) = &held.form {
            asked::check(shape, held.kind, queries)?;
        }
        let kept = find.keep.map_or(held.len, |keep| keep.count_ones());
        let k = out.iter().map(TopK::k).max().unwrap_or(0);
        if kept == 0 || k == 0 {
            return Ok(());
        }
        let memory = held.slot.get().ok_or(BackendError::Evicted)?;
        let task = Task {
            rows: held.len as u32,
            kept: kept as u32,
            k,
            slack: 0,
            range: find.range,
            margin: 0.0,
            capacity: ROOM,
            round_k: ROUND_K,
        };
        // Selections are offered nothing until every batch has come back.
        let mut found: Vec<TopK> = out.iter().map(|out| TopK::new(out.k())).collect();
        self.with_scratch(|scratch| {
            if let Some(keep) = find.keep {
                self.shared.device.guarded(|| {
                    scratch.admit(&self.shared.device, keep.words());
                    Ok(())
                })?;
            }
            self.batches(scratch, (held, &memory.memory), queries, (find, &task), &mut found)
        })?;
        for (found, out) in found.into_iter().zip(out) {
            for one in found.into_sorted() {
                out.push(one.id, one.key);
            }
        }
        Ok(())
    }

    fn assign(
        &self,
        rows: AnyRows<'_>,
        centroids: &dyn Resident,
        metric: Metric,
        nearest: &mut [u32],
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        let held = self.held(centroids, metric)?;
        checks::assign(&checks::Shape::new(held, held.dim), rows, nearest, keys)?;
        if rows.is_empty() {
            return Ok(());
        }
        let memory = held.slot.get().ok_or(BackendError::Evicted)?;
        let element = held.element()?;
        let layout = Layout::new(rows, element, self.shared.part_bytes)?;
        let block = self.batch_size(layout.stride() as u64);
        for first in (0..rows.len()).step_by(block) {
            let range = first..rows.len().min(first + block);
            let asked = (element, rows.slice(range.clone()), layout);
            let found = self.with_scratch(|scratch| {
                let steps = Steps::new(&self.shared, scratch, &memory.memory.parts, metric, asked)?;
                closest(steps, held.len as u32)
            })?;
            for ((packed, nearest), key) in found.iter().zip(&mut nearest[range.clone()]).zip(&mut keys[range]) {
                // Where every key is NaN, none was found.
                let one = unpack(*packed);
                (*nearest, *key) = if *packed == u64::MAX { (0, f32::NAN) } else { (one.id, one.key) };
            }
        }
        Ok(())
    }

    fn distances(
        &self,
        queries: AnyRows<'_>,
        base: &dyn Resident,
        metric: Metric,
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        let held = self.held(base, metric)?;
        checks::distances(&checks::Shape::new(held, held.dim), queries, keys)?;
        if keys.is_empty() {
            return Ok(());
        }
        let memory = held.slot.get().ok_or(BackendError::Evicted)?;
        let element = held.element()?;
        let layout = Layout::new(queries, element, self.shared.part_bytes)?;
        // Square blocks would read least; queries come in blocks of up to so many, and rows as many as then fit.
        let block = self.batch_size(layout.stride() as u64).min(1024);
        for first in (0..queries.len()).step_by(block) {
            let some = queries.slice(first..queries.len().min(first + block));
            let keys = &mut keys[first * held.len..][..some.len() * held.len];
            let columns = (BATCH_BYTES as usize / 4 / some.len()).max(1);
            for row in (0..held.len).step_by(columns) {
                let count = columns.min(held.len - row);
                let found = self.with_scratch(|scratch| {
                    let asked = (element, some, layout);
                    let steps = Steps::new(&self.shared, scratch, &memory.memory.parts, metric, asked)?;
                    block_of_keys(steps, row as u32, count as u32)
                })?;
                for (to, from) in keys.chunks_exact_mut(held.len).zip(found.chunks_exact(count)) {
                    to[row..row + count].copy_from_slice(from);
                }
            }
        }
        Ok(())
    }

    fn measure(&self, clock: &dyn Fn() -> Duration) -> Result<Speed, BackendError> {
        speed::measure(self, clock)
    }
}

impl Wgpu {
    /// Runs a task for all queries, as many at a time as a batch has room for.
    fn batches(
        &self,
        scratch: &mut Scratch,
        (held, memory): (&Held, &Memory),
        queries: Queries<'_>,
        (find, task): (&Find<'_>, &Task),
        found: &mut [TopK],
    ) -> Result<(), BackendError> {
        let (shared, parts) = (&self.shared, &memory.parts);
        let run = |steps: Steps<'_>, found: &mut [TopK]| {
            let mut batch = Batch::new(steps, find.keep.is_some())?;
            task.run(&mut batch, found)
        };
        match (&held.form, queries) {
            (Form::Rows(element), Queries::Rows(queries)) => {
                let layout = Layout::new(queries, *element, shared.part_bytes)?;
                let block = self.batch_size(Steps::candidate_bytes(1).max(layout.stride() as u64));
                for first in (0..queries.len()).step_by(block) {
                    let range = first..queries.len().min(first + block);
                    let asked = (*element, queries.slice(range.clone()), layout);
                    run(Steps::new(shared, scratch, parts, find.metric, asked)?, &mut found[range])?;
                }
            }
            (Form::Codes(shape), _) => {
                let (most, mut first) = (self.code_batch_size(shape), 0);
                while first < queries.len() {
                    let count = asked::alike(queries, first, most);
                    let asked = Asked::new(shape, queries, first, count);
                    run(Steps::of_codes(shared, scratch, parts, &asked)?, &mut found[first..first + count])?;
                    first += count;
                }
            }
            (Form::Rows(_), Queries::Sq(_) | Queries::Pq4(_) | Queries::RaBitQ(_)) => {
                return Err(BackendError::Kind { corpus: held.kind, queries: checks::name(queries) });
            }
        }
        Ok(())
    }
}

/// The nearest of all rows for each query, packed; the largest number where there is none.
fn closest(mut steps: Steps<'_>, rows: u32) -> Result<Vec<u64>, BackendError> {
    let shared = steps.shared;
    let (device, common) = (&shared.device, steps.common);
    let bytes = u64::from(common.queries) * CANDIDATE_BYTES;
    let found = device.guarded(|| Ok(steps.scratch.found(device, bytes)))?;
    steps.offer(Program::Nearest, &Pass { first: 0, stride: 1, count: rows, sample: false }, common)?;
    fetch(steps, &found, bytes)
}

/// The keys of all queries with some rows, query after query.
fn block_of_keys(mut steps: Steps<'_>, first: u32, count: u32) -> Result<Vec<f32>, BackendError> {
    let shared = steps.shared;
    let (device, common) = (&shared.device, Numbers { key_stride: count, ..steps.common });
    let bytes = u64::from(common.queries) * u64::from(count) * 4;
    let found = device.guarded(|| Ok(steps.scratch.found(device, bytes)))?;
    steps.offer(Program::Keys, &Pass { first, stride: 1, count, sample: false }, common)?;
    fetch(steps, &found, bytes)
}

/// Runs what was recorded, and brings back the beginning of a buffer.
fn fetch<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
    mut steps: Steps<'_>,
    from: &::wgpu::Buffer,
    bytes: u64,
) -> Result<Vec<T>, BackendError> {
    let device = &steps.shared.device;
    device.guarded(|| {
        let staging = steps.scratch.staging(device, bytes);
        let mut commands = steps.encode();
        commands.copy_buffer_to_buffer(from, 0, &staging, 0, bytes);
        device.read(commands.finish(), &staging, bytes, |seen| {
            let mut values = vec![T::zeroed(); size_of_val(seen) / size_of::<T>()];
            bytemuck::cast_slice_mut::<T, u8>(&mut values).copy_from_slice(seen);
            values
        })
    })
}
