//! What callers ask of a device.
use super::*;

impl Backend for Wgpu {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn upload(&self, base: Corpus<'_>) -> Result<Arc<dyn Resident>, BackendError> {
        let (kind, len) = (base.kind(), base.len());
        let cell = self.caps.cells.iter().find(|(one, _)| *one == kind);
        let (Some(&(_, metric)), Corpus::Rows(rows), Some(element)) = (cell, base, programs::element(kind)) else {
            return Err(BackendError::Unsupported { kind, metric: Metric::L2 });
        };
        checks::supported(&self.caps, kind, metric)?;
        if u32::try_from(len).is_err() {
            return Err(BackendError::Failed { reason: format!("ids of {len} rows pass 32 bits") });
        }
        let layout = Layout::new(rows, element, self.shared.part_bytes)?;
        let shared = &self.shared;
        let slot = self.pool.insert(layout.bytes(len), || held::upload(shared, element, &layout, rows))?;
        let (owner, dim) = (self.number, rows.dim());
        Ok(Arc::new(Held { owner, kind, element, dim, len, slot }))
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
        let Queries::Rows(queries) = queries else {
            return Err(BackendError::Kind { corpus: held.kind, queries: checks::name(queries) });
        };
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
        let layout = Layout::new(queries, held.element, self.shared.part_bytes)?;
        let each = Steps::candidate_bytes(1).max(layout.stride() as u64);
        let block = self.batch_size(each);
        // Selections are offered nothing until every batch has come back.
        let mut found: Vec<TopK> = out.iter().map(|out| TopK::new(out.k())).collect();
        self.with_scratch(|scratch| {
            if let Some(keep) = find.keep {
                self.shared.device.guarded(|| {
                    scratch.admit(&self.shared.device, keep.words());
                    Ok(())
                })?;
            }
            for first in (0..queries.len()).step_by(block) {
                let range = first..queries.len().min(first + block);
                let asked = (held.element, queries.slice(range.clone()), layout);
                let parts = &memory.memory.parts;
                let steps = Steps::new(&self.shared, scratch, parts, find.metric, asked)?;
                let mut batch = Batch::new(steps, find.keep.is_some())?;
                task.run(&mut batch, &mut found[range])?;
            }
            Ok(())
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
        let layout = Layout::new(rows, held.element, self.shared.part_bytes)?;
        let block = self.batch_size(layout.stride() as u64);
        for first in (0..rows.len()).step_by(block) {
            let range = first..rows.len().min(first + block);
            let asked = (held.element, rows.slice(range.clone()), layout);
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
        let layout = Layout::new(queries, held.element, self.shared.part_bytes)?;
        // Square blocks would read least; queries come in blocks of up to so many, and rows as many as then fit.
        let block = self.batch_size(layout.stride() as u64).min(1024);
        for first in (0..queries.len()).step_by(block) {
            let some = queries.slice(first..queries.len().min(first + block));
            let keys = &mut keys[first * held.len..][..some.len() * held.len];
            let columns = (BATCH_BYTES as usize / 4 / some.len()).max(1);
            for row in (0..held.len).step_by(columns) {
                let count = columns.min(held.len - row);
                let found = self.with_scratch(|scratch| {
                    let asked = (held.element, some, layout);
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
