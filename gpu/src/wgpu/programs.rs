//! Pipelines, made when they are first used and then kept.
use std::collections::HashMap;

use ::wgpu::{
    BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType, BufferBindingType, ComputePipeline,
    ComputePipelineDescriptor, PipelineCompilationOptions, PipelineLayout, PipelineLayoutDescriptor, ShaderModule,
    ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource, ShaderStages,
};
use elanus_kernels::backend::{BackendError, CorpusKind};
use elanus_kernels::{ElementType, Metric};
use elanus_shaders::wgsl::{Element, Instance, Program, Variant, source};
use parking_lot::Mutex;

use super::codes;
use super::device::Device;

/// What there are programs for: the kind of a corpus of vectors, and the arithmetic over it. Another kind is a line here
/// and an element of the shaders; codes are beside it.
const KINDS: &[(CorpusKind, Element, &[Metric])] = &[
    (CorpusKind::Rows(ElementType::F32), Element::F32, DENSE),
    (CorpusKind::Rows(ElementType::F16), Element::F16, DENSE),
    (CorpusKind::Rows(ElementType::Bf16), Element::Bf16, DENSE),
    (CorpusKind::Rows(ElementType::I8), Element::I8, DENSE),
    (CorpusKind::Rows(ElementType::U8), Element::U8, DENSE),
    (CorpusKind::Rows(ElementType::U4), Element::U4, DENSE),
    (CorpusKind::Rows(ElementType::Binary), Element::Binary, BITS),
];
const DENSE: &[Metric] = &[Metric::L2, Metric::Ip, Metric::Cosine];
const BITS: &[Metric] = &[
    Metric::Hamming,
    Metric::Jaccard,
    Metric::Tanimoto,
    Metric::Substructure,
    Metric::Superstructure,
    Metric::MhJaccard,
];

/// Every pair that there is a program for, without the kinds that `without` names.
pub(super) fn cells(without: &[CorpusKind]) -> Vec<(CorpusKind, Metric)> {
    let kinds = KINDS.iter().filter(|(kind, ..)| !without.contains(kind));
    let rows = kinds.flat_map(|(kind, _, metrics)| metrics.iter().map(|metric| (*kind, *metric)));
    let codes = codes::KINDS.iter().flat_map(|(kind, _)| DENSE.iter().map(|metric| (*kind, *metric)));
    rows.chain(codes).collect()
}

/// The arithmetic over a kind of corpus.
pub(super) fn element(kind: CorpusKind) -> Option<Element> {
    KINDS.iter().find(|(one, ..)| *one == kind).map(|(_, element, _)| *element)
}

/// Whether keys need something of the query and the row alone.
pub(super) fn needs_sides(element: Element, metric: Metric) -> bool {
    let integer = matches!(element, Element::I8 | Element::U8 | Element::U4);
    match metric {
        Metric::Cosine | Metric::Jaccard | Metric::Tanimoto => true,
        Metric::L2 => integer,
        Metric::Ip | Metric::Hamming | Metric::Substructure | Metric::Superstructure | Metric::MhJaccard => false,
    }
}

/// How the shaders count the metrics.
const fn number(metric: Metric) -> u32 {
    match metric {
        Metric::L2 => 0,
        Metric::Ip => 1,
        Metric::Cosine => 2,
        Metric::Hamming => 3,
        Metric::Substructure => 4,
        Metric::Superstructure => 5,
        Metric::Jaccard => 6,
        Metric::Tanimoto => 7,
        Metric::MhJaccard => 8,
    }
}

/// One pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    pub(super) program: Program,
    pub(super) element: Element,
    pub(super) metric: Metric,
    /// Invocations that share a row, where the program has teams.
    pub(super) team: u32,
    /// Bits of a query's components, where they lie in planes.
    pub(super) planes: u32,
}

/// The layouts, and what was made so far.
#[derive(Debug)]
pub(super) struct Programs {
    /// What belongs to a batch of queries: see the texts for the numbers.
    pub(super) batch: BindGroupLayout,
    /// What belongs to a part of a corpus: its rows and their sides, or its codes.
    pub(super) part: BindGroupLayout,
    /// What computes sides.
    pub(super) squares: BindGroupLayout,
    searching: PipelineLayout,
    preparing: PipelineLayout,
    variant: Variant,
    made: Mutex<HashMap<Key, ComputePipeline>>,
}

impl Programs {
    pub(super) fn new(device: &Device, variant: Variant) -> Self {
        let batch = layout(device, true, &[true, true, true, false, false, false]);
        let part = layout(device, false, &[true, true]);
        let squares = layout(device, true, &[true, false]);
        let pipelines = |groups: &[Option<&BindGroupLayout>]| {
            let descriptor = PipelineLayoutDescriptor { bind_group_layouts: groups, ..Default::default() };
            device.inner.create_pipeline_layout(&descriptor)
        };
        let (searching, preparing) = (pipelines(&[Some(&batch), Some(&part)]), pipelines(&[Some(&squares)]));
        Self { batch, part, squares, searching, preparing, variant, made: Mutex::default() }
    }

    /// The pipeline, made now if need be.
    ///
    /// # Errors
    /// When the driver cannot compile it.
    pub(super) fn pipeline(&self, device: &Device, key: Key) -> Result<ComputePipeline, BackendError> {
        // Held while it is made, so that a pipeline is made once.
        let mut made = self.made.lock();
        if let Some(pipeline) = made.get(&key) {
            return Ok(pipeline.clone());
        }
        let pipeline = device.guarded(|| Ok(self.make(device, key)))?;
        made.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    fn make(&self, device: &Device, key: Key) -> ComputePipeline {
        let instance = Instance { program: key.program, element: key.element, variant: self.variant };
        let module = module(device, instance);
        let mut constants = Vec::new();
        constants.extend(key.program.has_metric().then_some(("METRIC", f64::from(number(key.metric)))));
        constants.extend(key.program.has_team().then_some(("TEAM", f64::from(key.team))));
        constants.extend(key.program.has_planes().then_some(("QUERY_WORDS", f64::from(key.planes))));
        let layout = if key.program == Program::Squares { &self.preparing } else { &self.searching };
        device.inner.create_compute_pipeline(&ComputePipelineDescriptor {
            label: None,
            layout: Some(layout),
            module: &module,
            entry_point: Some(key.program.entry_point()),
            // Every program writes what it reads of workgroup memory.
            compilation_options: PipelineCompilationOptions {
                constants: &constants,
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        })
    }
}

fn module(device: &Device, instance: Instance) -> ShaderModule {
    let text = source(instance.program, instance.element, instance.variant);
    let descriptor = ShaderModuleDescriptor { label: None, source: ShaderSource::Wgsl(text.into()) };
    let checks = ShaderRuntimeChecks { force_loop_bounding: false, ..ShaderRuntimeChecks::checked() };
    // SAFETY: all checks stay but the one that ends loops, and every loop of our texts ends: its counter moves towards
    // a bound that does not change, by a step that is at least 1 (a team has at least one invocation, and a tile of
    // codes' queries has room for a group of each: 2,048 words for eight times eight words, or for twice 128).
    unsafe { device.inner.create_shader_module_trusted(descriptor, checks) }
}

/// Storage buffers, read only where so said, after one with the numbers of a dispatch if there is such.
fn layout(device: &Device, numbered: bool, read_only: &[bool]) -> BindGroupLayout {
    let entry = |binding: usize, ty: BufferBindingType, has_dynamic_offset: bool| BindGroupLayoutEntry {
        binding: binding as u32,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    };
    let first = numbered.then(|| entry(0, BufferBindingType::Uniform, true));
    let stored = read_only.iter().enumerate();
    let stored =
        stored.map(|(i, &read_only)| entry(i + usize::from(numbered), BufferBindingType::Storage { read_only }, false));
    let entries: Vec<BindGroupLayoutEntry> = first.into_iter().chain(stored).collect();
    device.inner.create_bind_group_layout(&BindGroupLayoutDescriptor { label: None, entries: &entries })
}
