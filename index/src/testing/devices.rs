//! Devices for tests: the CPU under another name, which fails, evicts, waits or panics when it is told to.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use elanus_kernels::backend::{
    Backend, BackendError, Caps, Corpus, CorpusKind, Cpu, DeviceKind, Find, Queries, Resident, Speed,
};
use elanus_kernels::{AnyRows, Metric, TopK};
use parking_lot::{Condvar, Mutex};

use crate::gpu::{Device, Host, Options, Plan};

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every scan whose number, from 1 on, is a multiple of this.
    Scan(usize, BackendError),
    /// Every upload.
    Upload(BackendError),
    /// Every scan finds its rows thrown out.
    ThrownOut,
    /// After each scan all rows are thrown out.
    ThrowsOut,
    /// Every scan whose number is a multiple of this panics.
    Panic(usize),
}

/// What scans wait at until it is opened.
#[derive(Debug, Default)]
pub struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    /// Lets all through from now on.
    pub fn open(&self) {
        *self.open.lock() = true;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut open = self.open.lock();
        while !*open {
            self.changed.wait(&mut open);
        }
    }
}

/// The CPU as if it were a card.
#[derive(Debug)]
pub struct Trial {
    cpu: Cpu,
    caps: Caps,
    /// What goes wrong.
    fault: Fault,
    /// Where each scan waits, if anywhere.
    gate: Option<Arc<Gate>>,
    scans: Mutex<Vec<usize>>,
    uploads: AtomicUsize,
    age: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Lent {
    inner: Arc<dyn Resident>,
    born: usize,
    age: Arc<AtomicUsize>,
}

impl Resident for Lent {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn kind(&self) -> CorpusKind {
        self.inner.kind()
    }

    fn device_bytes(&self) -> u64 {
        self.inner.device_bytes()
    }

    fn is_evicted(&self) -> bool {
        self.born < self.age.load(Ordering::SeqCst)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Trial {
    /// One with that fault.
    pub fn new(fault: Fault) -> Self {
        let caps = Caps { kind: DeviceKind::Cuda, name: "trial".to_owned(), ..Cpu::new().caps().clone() };
        let (scans, uploads) = (Mutex::default(), AtomicUsize::new(0));
        Self { cpu: Cpu::new(), caps, fault, gate: None, scans, uploads, age: Arc::default() }
    }

    /// One whose scans wait at a gate.
    pub fn behind(gate: &Arc<Gate>, fault: Fault) -> Self {
        Self { gate: Some(Arc::clone(gate)), ..Self::new(fault) }
    }

    /// The number of queries of each scan so far, failed ones included.
    pub fn scans(&self) -> Vec<usize> {
        self.scans.lock().clone()
    }

    /// How often rows were uploaded.
    pub fn uploads(&self) -> usize {
        self.uploads.load(Ordering::SeqCst)
    }

    /// Throws all rows out.
    pub fn throw_out(&self) {
        self.age.fetch_add(1, Ordering::SeqCst);
    }
}

fn lent(held: &dyn Resident) -> Result<&Lent, BackendError> {
    held.as_any().downcast_ref().ok_or(BackendError::Foreign)
}

impl Backend for Trial {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn upload(&self, corpus: Corpus<'_>) -> Result<Arc<dyn Resident>, BackendError> {
        self.uploads.fetch_add(1, Ordering::SeqCst);
        if let Fault::Upload(error) = &self.fault {
            return Err(error.clone());
        }
        let born = self.age.load(Ordering::SeqCst);
        Ok(Arc::new(Lent { inner: self.cpu.upload(corpus)?, born, age: Arc::clone(&self.age) }))
    }

    fn scan(
        &self,
        queries: Queries<'_>,
        held: &dyn Resident,
        find: &Find<'_>,
        out: &mut [TopK],
    ) -> Result<(), BackendError> {
        let number = {
            let mut scans = self.scans.lock();
            scans.push(queries.len());
            scans.len()
        };
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        match &self.fault {
            Fault::Scan(each, error) if number.is_multiple_of(*each) => return Err(error.clone()),
            Fault::Panic(each) if number.is_multiple_of(*each) => panic!("a driver that panics, as the test wants it"),
            Fault::ThrownOut => return Err(BackendError::Evicted),
            Fault::None | Fault::Scan(..) | Fault::Upload(_) | Fault::ThrowsOut | Fault::Panic(_) => {}
        }
        let lent = lent(held)?;
        if lent.is_evicted() {
            return Err(BackendError::Evicted);
        }
        self.cpu.scan(queries, lent.inner.as_ref(), find, out)?;
        if matches!(self.fault, Fault::ThrowsOut) {
            self.throw_out();
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
        self.cpu.assign(rows, lent(centroids)?.inner.as_ref(), metric, nearest, keys)
    }

    fn distances(
        &self,
        queries: AnyRows<'_>,
        held: &dyn Resident,
        metric: Metric,
        keys: &mut [f32],
    ) -> Result<(), BackendError> {
        self.cpu.distances(queries, lent(held)?.inner.as_ref(), metric, keys)
    }

    /// A thousand times as fast as the CPU, and 10 us away.
    fn measure(&self, clock: &dyn Fn() -> Duration) -> Result<Speed, BackendError> {
        let read_bytes_per_ns = 1e3 * self.cpu.measure(clock)?.read_bytes_per_ns;
        Ok(Speed { read_bytes_per_ns, upload_bytes_per_ns: 1.0, round_trip_ns: 10_000.0 })
    }
}

/// Lends a device that is there, and keeps what it says.
#[derive(Debug)]
struct Lender {
    trial: Arc<Trial>,
    ticks: AtomicUsize,
    told: Arc<Mutex<Vec<String>>>,
}

impl Host for Lender {
    fn open(&self) -> Result<Arc<dyn Backend>, String> {
        let backend: Arc<dyn Backend> = Arc::<Trial>::clone(&self.trial);
        Ok(backend)
    }

    /// A microsecond passes from look to look, so that speeds are the same on every machine.
    fn now(&self) -> Duration {
        Duration::from_micros(self.ticks.fetch_add(1, Ordering::SeqCst) as u64)
    }

    fn warn(&self, text: &str) {
        self.told.lock().push(text.to_owned());
    }

    fn note(&self, _text: &str) {}
}

/// An open device over a trial, asked as the plan says, and what it warned of.
pub fn trial_device(trial: &Arc<Trial>, plan: Plan) -> (Arc<Device>, Arc<Mutex<Vec<String>>>) {
    trial_device_with(trial, Options { plan, ..Options::default() })
}

/// [`trial_device`] with other limits.
///
/// # Panics
/// Never: there is always a trial to open.
pub fn trial_device_with(trial: &Arc<Trial>, options: Options) -> (Arc<Device>, Arc<Mutex<Vec<String>>>) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let lender = Lender { trial: Arc::clone(trial), ticks: AtomicUsize::new(0), told: Arc::clone(&told) };
    let device = Device::new(Box::new(lender), options);
    assert!(device.wait().is_ok(), "a trial opens");
    (device, told)
}
