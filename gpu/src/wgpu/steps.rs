//! Dispatches of a batch of queries: what they are told, what they are bound to, and how they are cut so that none is
//! larger than a device takes.
use std::sync::Arc;

use ::wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindingResource, Buffer, BufferBinding,
    BufferUsages, CommandEncoder, ComputePipeline,
};
use elanus_kernels::backend::BackendError;
use elanus_kernels::{AnyRows, Metric};
use elanus_shaders::wgsl::{CAPACITY, CODE_PLACES, Codes, Element, INVOCATIONS, Program, TEAM_ROWS, TILE};

use super::asked::Asked;
use super::device::Device;
use super::held::{self, Layout, Part};
use super::programs::{Key, Programs, needs_sides};
use crate::passes::Pass;

/// Distance of the numbers of one dispatch from those of the next: what every device can bind at.
const NUMBERS_STRIDE: usize = 256;

/// Invocations of the largest team: a row's first 128 bytes are read at once.
const TEAM_MOST: u32 = 8;

/// Bytes of a query's state: see the text `candidates`.
pub(super) const STATE_BYTES: u64 = 32;

/// Bytes of a candidate.
pub(super) const CANDIDATE_BYTES: u64 = 8;

/// What is common to all threads.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) device: Device,
    pub(super) programs: Programs,
    /// Invocations of the smallest subgroup where there are subgroups.
    pub(super) subgroup: Option<u32>,
    /// Bytes of the largest part of a corpus.
    pub(super) part_bytes: u64,
    /// Workgroups along one axis.
    pub(super) groups: u32,
    /// Groups of four words, of each query with each row, that one dispatch compares: a driver may end longer ones.
    pub(super) work: u64,
}

impl Shared {
    /// The pipeline of a program for rows of so many groups of four words.
    pub(super) fn pipeline(
        &self,
        program: Program,
        element: Element,
        metric: Option<Metric>,
        width: u32,
    ) -> Result<ComputePipeline, BackendError> {
        if !program.has_element() {
            return self.plain_pipeline(program, 1);
        }
        // Where a program has no metric, one of its element's stands for all.
        let metric = metric.unwrap_or(if element == Element::Binary { Metric::Hamming } else { Metric::L2 });
        let team = if program.has_team() { self.team(width) } else { 1 };
        self.programs.pipeline(&self.device, Key { program, element, metric, team, planes: 1 })
    }

    /// The pipeline of a program that knows nothing of elements, for queries in so many planes.
    fn plain_pipeline(&self, program: Program, planes: u32) -> Result<ComputePipeline, BackendError> {
        let key = Key { program, element: Element::F32, metric: Metric::L2, team: 1, planes };
        self.programs.pipeline(&self.device, key)
    }

    /// Invocations that share a row: a power of two.
    fn team(&self, width: u32) -> u32 {
        let most = TEAM_MOST.min(self.subgroup.unwrap_or(TEAM_MOST)).max(1);
        1 << width.clamp(1, most).ilog2()
    }

    /// A grid of at least `blocks` workgroups along x and z, and `lines` along y.
    pub(super) fn grid(&self, blocks: u64, lines: u32) -> [u32; 3] {
        let x = blocks.clamp(1, u64::from(self.groups));
        [x as u32, lines, blocks.div_ceil(x).max(1) as u32]
    }
}

/// The numbers of a dispatch, in the order of the text `common`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    pub(super) queries: u32,
    pub(super) width: u32,
    pub(super) chunk_first: u32,
    pub(super) first: u32,
    pub(super) stride: u32,
    pub(super) places: u32,
    pub(super) filtered: bool,
    pub(super) k: u32,
    pub(super) sample: bool,
    pub(super) key_stride: u32,
    pub(super) key_first: u32,
    pub(super) fresh: bool,
    pub(super) words: u32,
    pub(super) row_words: u32,
    pub(super) query_words: u32,
}

impl Numbers {
    pub(super) const BYTES: u64 = 64;

    pub(super) fn words(&self) -> [u32; 16] {
        [
            self.queries,
            self.width,
            self.chunk_first,
            self.first,
            self.stride,
            self.places,
            u32::from(self.filtered),
            self.k,
            u32::from(self.sample),
            self.key_stride,
            self.key_first,
            u32::from(self.fresh),
            self.words,
            self.row_words,
            self.query_words,
            0,
        ]
    }
}

/// A buffer that grows as it is needed.
#[derive(Debug)]
struct Grown {
    usage: BufferUsages,
    buffer: Option<Buffer>,
}

impl Grown {
    const fn new(usage: BufferUsages) -> Self {
        Self { usage, buffer: None }
    }

    fn at_least(&mut self, device: &Device, bytes: u64) -> Buffer {
        if let Some(buffer) = self.buffer.as_ref().filter(|buffer| buffer.size() >= bytes) {
            return buffer.clone();
        }
        // Before the new one is made: both need not be there at once.
        self.buffer = None;
        let made = device.buffer(bytes.max(STATE_BYTES).next_power_of_two(), self.usage);
        self.buffer.insert(made).clone()
    }
}

/// What batches leave to the next: buffers.
#[derive(Debug)]
pub(super) struct Scratch {
    numbers: Grown,
    queries: Grown,
    query_sides: Grown,
    admitted: Grown,
    states: Grown,
    found: Grown,
    selected: Grown,
    staging: Grown,
}

impl Scratch {
    pub(super) const fn new() -> Self {
        let stored = BufferUsages::STORAGE.union(BufferUsages::COPY_DST);
        let read = stored.union(BufferUsages::COPY_SRC);
        Self {
            numbers: Grown::new(BufferUsages::UNIFORM.union(BufferUsages::COPY_DST)),
            queries: Grown::new(stored),
            query_sides: Grown::new(stored),
            admitted: Grown::new(stored),
            states: Grown::new(read),
            found: Grown::new(read),
            selected: Grown::new(read),
            staging: Grown::new(BufferUsages::MAP_READ.union(BufferUsages::COPY_DST)),
        }
    }

    /// Gives up everything: after a failure a buffer may be mapped still, or may never have been made.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Brings a filter to the device.
    pub(super) fn admit(&mut self, device: &Device, words: &[u64]) {
        let words: Vec<u32> = words.iter().flat_map(|word| [*word as u32, (*word >> 32) as u32]).collect();
        let buffer = self.admitted.at_least(device, words.len() as u64 * 4);
        if !words.is_empty() {
            device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&words));
        }
    }

    pub(super) fn states(&mut self, device: &Device, queries: u32) -> Buffer {
        self.states.at_least(device, u64::from(queries) * STATE_BYTES)
    }

    pub(super) fn found(&mut self, device: &Device, bytes: u64) -> Buffer {
        self.found.at_least(device, bytes)
    }

    pub(super) fn selected(&mut self, device: &Device, bytes: u64) -> Buffer {
        self.selected.at_least(device, bytes)
    }

    pub(super) fn staging(&mut self, device: &Device, bytes: u64) -> Buffer {
        self.staging.at_least(device, bytes)
    }
}

/// One dispatch.
#[derive(Debug)]
struct Step {
    pipeline: ComputePipeline,
    numbers: Numbers,
    grid: [u32; 3],
    to: Target,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    /// The queries' own sides.
    Queries,
    /// A part of the corpus, by its place.
    Part(usize),
    /// The candidates.
    Candidates,
}

/// Dispatches that are recorded for a batch of queries.
#[derive(Debug)]
pub(super) struct Steps<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) scratch: &'a mut Scratch,
    pub(super) parts: &'a [Part],
    pub(super) element: Element,
    pub(super) metric: Metric,
    /// What every dispatch is told: the queries and the width.
    pub(super) common: Numbers,
    /// The codes that are searched, and the planes of queries, where it is not rows.
    pub(super) codes: Option<(Codes, u32)>,
    steps: Vec<Step>,
}

impl<'a> Steps<'a> {
    /// Brings queries to the device.
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        scratch: &'a mut Scratch,
        parts: &'a [Part],
        metric: Metric,
        (element, queries, layout): (Element, AnyRows<'_>, Layout),
    ) -> Result<Self, BackendError> {
        let device = &shared.device;
        device.guarded(|| {
            let buffer = scratch.queries.at_least(device, (queries.len() * layout.stride()) as u64);
            scratch.query_sides.at_least(device, queries.len() as u64 * CANDIDATE_BYTES);
            held::write(shared, &buffer, &layout, queries)
        })?;
        let words = layout.row_bytes.div_ceil(4) as u32;
        let (count, width) = (queries.len() as u32, layout.width);
        let common = Numbers { queries: count, width, words, stride: 1, ..Numbers::default() };
        let mut steps = Self { shared, scratch, parts, element, metric, common, codes: None, steps: Vec::new() };
        if needs_sides(element, metric) {
            let pipeline = shared.pipeline(Program::Squares, element, None, layout.width)?;
            let numbers = Numbers { places: common.queries, ..common };
            let grid = shared.grid(u64::from(common.queries.div_ceil(INVOCATIONS)), 1);
            steps.steps.push(Step { pipeline, numbers, grid, to: Target::Queries });
        }
        Ok(steps)
    }

    /// Brings queries for codes to the device.
    pub(super) fn of_codes(
        shared: &'a Arc<Shared>,
        scratch: &'a mut Scratch,
        parts: &'a [Part],
        asked: &Asked,
    ) -> Result<Self, BackendError> {
        let device = &shared.device;
        let (words, heads): (&[u8], &[u8]) = (bytemuck::cast_slice(&asked.words), bytemuck::cast_slice(&asked.heads));
        device.guarded(|| {
            let buffer = scratch.queries.at_least(device, words.len() as u64);
            device.queue.write_buffer(&buffer, 0, words);
            let buffer = scratch.query_sides.at_least(device, heads.len() as u64);
            device.queue.write_buffer(&buffer, 0, heads);
            Ok(())
        })?;
        let words = asked.shape.words() as u32;
        let common = Numbers {
            queries: asked.count as u32,
            // A word of codes takes about as long as a group of four words of a vector.
            width: words,
            stride: 1,
            words,
            row_words: asked.shape.row_words() as u32,
            query_words: asked.query_words as u32,
            ..Numbers::default()
        };
        let codes = Some((asked.shape.codes, asked.planes));
        let (element, metric) = (Element::F32, Metric::L2);
        Ok(Self { shared, scratch, parts, element, metric, common, codes, steps: Vec::new() })
    }

    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Dispatches a program over the rows of a pass, part by part.
    pub(super) fn offer(&mut self, program: Program, pass: &Pass, common: Numbers) -> Result<(), BackendError> {
        let pipeline = match self.codes {
            Some((_, planes)) => self.shared.plain_pipeline(program, planes)?,
            None => self.shared.pipeline(program, self.element, Some(self.metric), common.width)?,
        };
        let mut fresh = true;
        for (at, part) in self.parts.iter().enumerate() {
            let (from, to) = places(pass, part);
            let step = self.most_places(program, common).min(u64::from(u32::MAX)) as usize;
            for place in (from..to).step_by(step) {
                let count = (to - place).min(step as u64) as u32;
                let first = u64::from(pass.first) + place * u64::from(pass.stride) - u64::from(part.first);
                let numbers = Numbers {
                    chunk_first: part.first,
                    first: first as u32,
                    stride: pass.stride,
                    places: count,
                    key_first: common.key_first + place as u32,
                    fresh,
                    ..common
                };
                let grid = self.program_grid(program, count, common);
                self.steps.push(Step { pipeline: pipeline.clone(), numbers, grid, to: Target::Part(at) });
                fresh = false;
            }
        }
        Ok(())
    }

    /// Selects the smallest candidates.
    pub(super) fn select(&mut self, k: u32, sample: bool) -> Result<(), BackendError> {
        let pipeline = self.shared.pipeline(Program::Select, self.element, None, self.common.width)?;
        let numbers = Numbers { k, sample, ..self.common };
        let grid = self.shared.grid(u64::from(self.common.queries), 1);
        self.steps.push(Step { pipeline, numbers, grid, to: Target::Candidates });
        Ok(())
    }

    /// Places that one dispatch may have.
    fn most_places(&self, program: Program, common: Numbers) -> u64 {
        let each = u64::from(common.queries) * u64::from(common.width);
        let by_work = (self.shared.work / each.max(1)).max(u64::from(TILE));
        let groups = u64::from(self.shared.groups);
        let by_grid = groups * groups * u64::from(self.rows_of(program, common.width));
        by_work.min(by_grid)
    }

    /// Places that a workgroup covers.
    fn rows_of(&self, program: Program, width: u32) -> u32 {
        match program {
            Program::Few(_) => INVOCATIONS / self.shared.team(width) * TEAM_ROWS,
            Program::Codes(..) => CODE_PLACES,
            Program::Tile | Program::Keys | Program::Nearest | Program::Select | Program::Squares => TILE,
        }
    }

    fn program_grid(&self, program: Program, places: u32, common: Numbers) -> [u32; 3] {
        let blocks = places.div_ceil(self.rows_of(program, common.width));
        let queries = common.queries;
        match program {
            Program::Few(few) => self.shared.grid(u64::from(blocks), queries.div_ceil(few)),
            Program::Codes(_, few) => {
                // Groups of queries follow each other, so that codes are read again while they are in a cache.
                let [x, y, z] = self.shared.grid(u64::from(blocks), queries.div_ceil(few));
                [y, x, z]
            }
            Program::Nearest => [queries.div_ceil(TILE), 1, 1],
            Program::Tile | Program::Keys | Program::Select | Program::Squares => {
                self.shared.grid(u64::from(blocks), queries.div_ceil(TILE))
            }
        }
    }

    /// The commands of everything that was recorded.
    pub(super) fn encode(&mut self) -> CommandEncoder {
        let device = &self.shared.device;
        let steps = std::mem::take(&mut self.steps);
        let mut encoder = device.inner.create_command_encoder(&Default::default());
        if steps.is_empty() {
            return encoder;
        }
        let mut bytes = vec![0; steps.len() * NUMBERS_STRIDE];
        for (to, step) in bytes.chunks_exact_mut(NUMBERS_STRIDE).zip(&steps) {
            let words = step.numbers.words();
            to[..Numbers::BYTES as usize].copy_from_slice(bytemuck::cast_slice(&words));
        }
        let numbers = self.scratch.numbers.at_least(device, bytes.len() as u64);
        device.queue.write_buffer(&numbers, 0, &bytes);
        let (batch, squares) = self.groups(&numbers);
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for (at, step) in steps.iter().enumerate() {
                let group = if matches!(step.to, Target::Queries) { &squares } else { &batch };
                pass.set_pipeline(&step.pipeline);
                pass.set_bind_group(0, group, &[(at * NUMBERS_STRIDE) as u32]);
                if let Target::Part(part) = step.to {
                    pass.set_bind_group(1, &self.parts[part].group, &[]);
                }
                let [x, y, z] = step.grid;
                pass.dispatch_workgroups(x, y, z);
            }
        }
        encoder
    }

    /// What dispatches are bound to, beside the corpus.
    fn groups(&mut self, numbers: &Buffer) -> (BindGroup, BindGroup) {
        let (device, scratch) = (&self.shared.device, &mut *self.scratch);
        let queries = scratch.queries.at_least(device, 0);
        let sides = scratch.query_sides.at_least(device, 0);
        let rest = [&mut scratch.admitted, &mut scratch.states, &mut scratch.found, &mut scratch.selected];
        let [admitted, states, found, selected] = rest.map(|buffer| buffer.at_least(device, 0));
        let programs = &self.shared.programs;
        let all = [numbers, &queries, &sides, &admitted, &states, &found, &selected];
        (entries(device, &programs.batch, &all), entries(device, &programs.squares, &[numbers, &queries, &sides]))
    }

    /// Bytes of the candidates of so many queries.
    pub(super) fn candidate_bytes(queries: u32) -> u64 {
        u64::from(queries) * u64::from(CAPACITY) * CANDIDATE_BYTES
    }
}

/// The places of a pass whose rows lie in a part.
fn places(pass: &Pass, part: &Part) -> (u64, u64) {
    let (first, stride) = (u64::from(pass.first), u64::from(pass.stride.max(1)));
    let before = |row: u64| row.saturating_sub(first).div_ceil(stride).min(u64::from(pass.count));
    (before(u64::from(part.first)), before(u64::from(part.first) + u64::from(part.rows)))
}

/// A group of buffers, bound one after another: those with the numbers of dispatches are bound in part.
pub(super) fn entries(device: &Device, layout: &BindGroupLayout, buffers: &[&Buffer]) -> BindGroup {
    let bound = buffers.iter().enumerate().map(|(binding, buffer)| {
        let uniform = buffer.usage().contains(BufferUsages::UNIFORM);
        let size = if uniform { std::num::NonZeroU64::new(Numbers::BYTES) } else { None };
        let resource = BindingResource::Buffer(BufferBinding { buffer, offset: 0, size });
        BindGroupEntry { binding: binding as u32, resource }
    });
    let bound: Vec<BindGroupEntry<'_>> = bound.collect();
    device.inner.create_bind_group(&BindGroupDescriptor { label: None, layout, entries: &bound })
}
