//! NVIDIA's driver, as cudarc finds it.
//!
//! Functions are bound by name and their answers taken as numbers: cudarc's own bindings panic where a driver lacks a
//! function, and give an answer the type of an enumeration, which no number that a newer driver returns may have.
mod functions;

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::OnceLock;

use cudarc::driver::sys;
use elanus_shaders::cuda::{ENTRIES, PROGRAMS};
use parking_lot::Mutex;

use self::functions::Functions;
use super::{Driver, Facts, Fault, Lines, StreamId};

/// The first generation that the programs are made for.
const GENERATION: (i32, i32) = (8, 0);

/// Room for what the driver says of a program that it cannot compile.
const LOG_BYTES: usize = 4096;

/// The share of a multiprocessor's fast memory that entries ask for, in percent: all that can be shared.
const MOST_SHARED: c_int = 100;

/// There is not so much memory.
const NO_MEMORY: c_uint = 2;

/// Answers after which other calls may succeed: a bad value, programs that the card cannot run, what is not found, too
/// much for a launch, what is not supported. All others are taken for the end.
const REFUSALS: &[c_uint] = &[1, 200, 209, 218, 221, 222, 223, 224, 300, 301, 302, 303, 304, 500, 701, 801];

/// The functions of the driver, or why there are none.
fn functions() -> Result<&'static Functions, Fault> {
    static FUNCTIONS: OnceLock<Result<Functions, String>> = OnceLock::new();
    let found = FUNCTIONS.get_or_init(|| {
        // SAFETY: loads the driver's library, whose initialisers are NVIDIA's.
        if !unsafe { sys::is_culib_present() } {
            return Err("there is no NVIDIA driver".to_owned());
        }
        let functions = Functions::load()?;
        // SAFETY: takes a flag that must be 0.
        let code = unsafe { (functions.init)(0) };
        functions.check(code, "initialisation").map_err(Fault::reason)?;
        Ok(functions)
    });
    found.as_ref().map_err(|reason| Fault::Lost(reason.clone()))
}

impl Functions {
    /// What a number means that `call` returned.
    fn check(&self, code: c_uint, call: &str) -> Result<(), Fault> {
        if code == 0 {
            return Ok(());
        }
        let mut name: *const c_char = std::ptr::null();
        // SAFETY: a place for a pointer to a text that is never freed.
        let known = unsafe { (self.error_name)(code, &raw mut name) } == 0 && !name.is_null();
        // SAFETY: as above; it ends in a zero.
        let name = if known { unsafe { CStr::from_ptr(name) }.to_string_lossy() } else { "an unknown error".into() };
        let reason = format!("{call}: {name} ({code})");
        Err(match code {
            NO_MEMORY => Fault::Memory(reason),
            _ if REFUSALS.contains(&code) => Fault::Refused(reason),
            _ => Fault::Lost(reason),
        })
    }

    fn attribute(&self, card: c_int, which: sys::CUdevice_attribute) -> Result<c_int, Fault> {
        let mut value = 0;
        // SAFETY: a place for a number.
        let code = unsafe { (self.device_attribute)(&raw mut value, which, card) };
        self.check(code, "an attribute").map(|()| value)
    }

    fn facts(&self, ordinal: usize) -> Result<(c_int, Facts), Fault> {
        let number = c_int::try_from(ordinal).map_err(|_| Fault::Refused(format!("there is no card {ordinal}")))?;
        let (mut card, mut bytes, mut version, mut name) = (0, 0, 0, [0_u8; 256]);
        // SAFETY: places for what is asked for, the name's with its length.
        unsafe {
            self.check((self.device)(&raw mut card, number), "finding the card")?;
            self.check((self.device_memory)(&raw mut bytes, card), "the card's memory")?;
            self.check((self.driver_version)(&raw mut version), "the driver's version")?;
            let length = name.len() as c_int - 1;
            self.check((self.device_name)(name.as_mut_ptr().cast(), length, card), "the card's name")?;
        }
        use sys::CUdevice_attribute as Attribute;
        let major = self.attribute(card, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = self.attribute(card, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        let multiprocessors = self.attribute(card, Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let text = CStr::from_bytes_until_nul(&name).map_or_else(|_| "NVIDIA".into(), CStr::to_string_lossy);
        let facts = Facts {
            name: text.into_owned(),
            driver: format!("CUDA {}.{}", version / 1000, version % 1000 / 10),
            memory_bytes: bytes as u64,
            generation: (major, minor),
            multiprocessors: u32::try_from(multiprocessors).unwrap_or(1).max(1),
        };
        Ok((card, facts))
    }
}

/// The cards that the programs run on, all up to the first that is none: numbers are the driver's.
pub(in crate::cuda) fn list() -> Vec<Facts> {
    let Ok(functions) = functions() else { return Vec::new() };
    let mut count = 0;
    // SAFETY: a place for a number.
    let code = unsafe { (functions.device_count)(&raw mut count) };
    if code != 0 {
        return Vec::new();
    }
    let all = (0..usize::try_from(count).unwrap_or(0)).map_while(|ordinal| functions.facts(ordinal).ok());
    all.map(|(_, facts)| facts).collect()
}

/// A program that was loaded, ready to be launched.
#[derive(Clone, Copy, Debug)]
struct Loaded {
    function: sys::CUfunction,
    resident_blocks: u32,
}

// SAFETY: a handle of the driver, which may be used by all threads.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

/// A program's text as the driver compiled it.
struct Module {
    handle: sys::CUmodule,
    /// By their number.
    entries: HashMap<usize, Loaded>,
}

/// A card.
pub(in crate::cuda) struct Card {
    functions: &'static Functions,
    card: c_int,
    context: sys::CUcontext,
    facts: Facts,
    /// One for each of [`PROGRAMS`], once it was needed.
    modules: Vec<Mutex<Option<Result<Module, Fault>>>>,
}

// SAFETY: handles of the driver, which may be used by all threads once the context is the thread's, which every call
// sees to.
unsafe impl Send for Card {}
// SAFETY: as above.
unsafe impl Sync for Card {}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Card").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl Card {
    pub(in crate::cuda) fn open(ordinal: usize) -> Result<Self, Fault> {
        let functions = functions()?;
        let (card, facts) = functions.facts(ordinal)?;
        if facts.generation < GENERATION {
            let (major, minor) = facts.generation;
            let reason =
                format!("{} is of generation {major}.{minor}, where 8.0 is the first that is supported", facts.name);
            return Err(Fault::Refused(reason));
        }
        let mut context = null_mut();
        // SAFETY: a place for a handle; it is released on drop.
        functions.check(unsafe { (functions.retain)(&raw mut context, card) }, "the card's context")?;
        let modules = PROGRAMS.iter().map(|_| Mutex::new(None)).collect();
        Ok(Self { functions, card, context, facts, modules })
    }

    /// Makes the card the one that the thread speaks to.
    fn enter(&self) -> Result<&'static Functions, Fault> {
        // SAFETY: the context was retained and is released on drop.
        self.functions.check(unsafe { (self.functions.enter)(self.context) }, "entering the context")?;
        Ok(self.functions)
    }

    /// Asks for something by `call`, which returns the driver's number.
    fn ask(&self, what: &str, call: impl FnOnce(&Functions) -> c_uint) -> Result<(), Fault> {
        let functions = self.enter()?;
        functions.check(call(functions), what)
    }

    /// The entry point of this number; its program is compiled by the driver when it is first asked for.
    fn loaded(&self, entry: usize) -> Result<Loaded, Fault> {
        let missing = || Fault::Refused(format!("there is no program {entry}"));
        let name = ENTRIES.get(entry).ok_or_else(missing)?.program;
        let place = PROGRAMS.iter().position(|program| program.name == name).ok_or_else(missing)?;
        let mut module = self.modules[place].lock();
        let loaded = match module.take() {
            // What cannot be compiled cannot be compiled the next time; memory there may be then.
            None | Some(Err(Fault::Memory(_))) => self.load(name, PROGRAMS[place].ptx),
            Some(before) => before,
        };
        match &*module.insert(loaded) {
            Ok(module) => module.entries.get(&entry).copied().ok_or_else(missing),
            Err(fault) => Err(fault.clone()),
        }
    }

    /// Compiles a program.
    fn load(&self, program: &str, ptx: &str) -> Result<Module, Fault> {
        let text = CString::new(ptx).map_err(|_| Fault::Refused(format!("the text of {program} holds a zero")))?;
        let (mut module, mut log) = (null_mut(), vec![0_u8; LOG_BYTES]);
        use sys::CUjit_option as Option;
        let mut options = [Option::CU_JIT_ERROR_LOG_BUFFER, Option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
        let mut values: [*mut c_void; 2] = [log.as_mut_ptr().cast(), std::ptr::without_provenance_mut(LOG_BYTES - 1)];
        let done = self.ask(&format!("compiling {program}"), |functions| {
            let (text, options, values) = (text.as_ptr().cast(), options.as_mut_ptr(), values.as_mut_ptr());
            // SAFETY: a place for a handle, a text that ends in a zero, two options and their two values.
            unsafe { (functions.load)(&raw mut module, text, 2, options, values) }
        });
        done.map_err(|fault| {
            let said = CStr::from_bytes_until_nul(&log).map_or_else(|_| "".into(), CStr::to_string_lossy);
            match fault {
                Fault::Refused(reason) => Fault::Refused(format!("{reason}: {}", said.trim())),
                Fault::Memory(_) | Fault::Lost(_) => fault,
            }
        })?;
        let entries = ENTRIES.iter().enumerate().filter(|(_, entry)| entry.program == program);
        let entries = entries.map(|(number, _)| Ok((number, self.find(module, number)?))).collect();
        match entries {
            Ok(entries) => Ok(Module { handle: module, entries }),
            Err(fault) => {
                self.unload(module);
                Err(fault)
            }
        }
    }

    /// Where that fails the program goes with the context.
    fn unload(&self, module: sys::CUmodule) {
        // SAFETY: it was loaded, and nothing of it runs: either nothing was found in it yet, or all streams are closed.
        let _ = self.ask("unloading a program", |functions| unsafe { (functions.unload)(module) });
    }

    fn find(&self, module: sys::CUmodule, number: usize) -> Result<Loaded, Fault> {
        let entry = &ENTRIES[number];
        let name = CString::new(entry.name).map_err(|_| Fault::Refused("a name holds a zero".to_owned()))?;
        let (mut function, mut blocks) = (null_mut(), 0);
        let (threads, shared) = (entry.threads as c_int, entry.shared_bytes);
        use sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES as SHARED;
        use sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT as SHARE;
        self.ask(entry.name, |functions| {
            // SAFETY: a place for a handle, a module that was loaded, a name that ends in a zero.
            unsafe { (functions.function)(&raw mut function, module, name.as_ptr()) }
        })?;
        // SAFETY: the function was found just now.
        self.ask(entry.name, |functions| unsafe { (functions.set_attribute)(function, SHARED, shared as c_int) })?;
        if shared > 0 {
            // Else the card may leave so much to its nearest cache that the blocks of an entry do not fit side by side.
            // SAFETY: as above.
            self.ask(entry.name, |functions| unsafe { (functions.set_attribute)(function, SHARE, MOST_SHARED) })?;
        }
        self.ask(entry.name, |functions| {
            // SAFETY: a place for a number, and the function.
            unsafe { (functions.occupancy)(&raw mut blocks, function, threads, shared as usize) }
        })?;
        let blocks = u32::try_from(blocks).unwrap_or(1).max(1);
        Ok(Loaded { function, resident_blocks: blocks * self.facts.multiprocessors })
    }
}

/// A stream's handle.
fn handle(stream: StreamId) -> sys::CUstream {
    std::ptr::with_exposed_provenance_mut(stream.0)
}

impl Driver for Card {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn free_bytes(&self) -> Result<u64, Fault> {
        let (mut free, mut all) = (0, 0);
        // SAFETY: places for two numbers.
        self.ask("free memory", |functions| unsafe { (functions.memory_info)(&raw mut free, &raw mut all) })?;
        Ok(free as u64)
    }

    fn allocate(&self, bytes: u64) -> Result<u64, Fault> {
        let what = format!("an allocation of {bytes} bytes");
        let bytes = usize::try_from(bytes).map_err(|_| Fault::Refused(what.clone()))?;
        let mut address = 0;
        // SAFETY: a place for an address.
        self.ask(&what, |functions| unsafe { (functions.allocate)(&raw mut address, bytes) })?;
        Ok(address)
    }

    unsafe fn free(&self, address: u64) -> Result<(), Fault> {
        // SAFETY: as the caller says.
        self.ask("giving memory back", |functions| unsafe { (functions.free)(address) })
    }

    fn pin(&self, bytes: usize) -> Result<NonNull<u8>, Fault> {
        let what = format!("{bytes} bytes of pinned memory");
        let mut memory = null_mut();
        // SAFETY: a place for a pointer. No flags: the memory is this card's.
        self.ask(&what, |functions| unsafe { (functions.pin)(&raw mut memory, bytes, 0) })?;
        NonNull::new(memory.cast()).ok_or(Fault::Refused(what))
    }

    unsafe fn unpin(&self, memory: NonNull<u8>) -> Result<(), Fault> {
        // SAFETY: as the caller says.
        self.ask("giving pinned memory back", |functions| unsafe { (functions.unpin)(memory.as_ptr().cast()) })
    }

    fn open_stream(&self) -> Result<StreamId, Fault> {
        let mut stream: sys::CUstream = null_mut();
        // SAFETY: a place for a handle. The stream does not wait for those of other users of the context.
        self.ask("opening a stream", |functions| unsafe {
            (functions.open_stream)(&raw mut stream, sys::CUstream_flags::CU_STREAM_NON_BLOCKING as c_uint)
        })?;
        Ok(StreamId(stream.expose_provenance()))
    }

    unsafe fn close_stream(&self, stream: StreamId) -> Result<(), Fault> {
        // SAFETY: as the caller says.
        self.ask("closing a stream", |functions| unsafe { (functions.close_stream)(handle(stream)) })
    }

    unsafe fn send(&self, stream: StreamId, from: *const u8, to: u64, bytes: usize) -> Result<(), Fault> {
        // SAFETY: as the caller says.
        self.ask("a copy to the card", |functions| unsafe { (functions.send)(to, from.cast(), bytes, handle(stream)) })
    }

    unsafe fn receive(&self, stream: StreamId, lines: Lines, to: *mut u8) -> Result<(), Fault> {
        let Lines { from, pitch, width, height } = lines;
        if height == 1 {
            // SAFETY: as the caller says.
            return self.ask("a copy from the card", |functions| unsafe {
                (functions.receive)(to.cast(), from, width, handle(stream))
            });
        }
        let copy = sys::CUDA_MEMCPY2D {
            srcXInBytes: 0,
            srcY: 0,
            srcMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
            srcHost: std::ptr::null(),
            srcDevice: from,
            srcArray: null_mut(),
            srcPitch: pitch as usize,
            dstXInBytes: 0,
            dstY: 0,
            dstMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_HOST,
            dstHost: to.cast(),
            dstDevice: 0,
            dstArray: null_mut(),
            dstPitch: width,
            WidthInBytes: width,
            Height: height,
        };
        // SAFETY: as the caller says; the description is read before the call returns.
        self.ask("a copy of lines from the card", |functions| unsafe {
            (functions.receive_lines)(&raw const copy, handle(stream))
        })
    }

    unsafe fn fill(&self, stream: StreamId, at: u64, word: u32, words: u64) -> Result<(), Fault> {
        // SAFETY: as the caller says.
        self.ask("a fill", |functions| unsafe { (functions.fill)(at, word, words as usize, handle(stream)) })
    }

    unsafe fn launch(&self, stream: StreamId, entry: usize, grid: [u32; 2], args: &[u8]) -> Result<(), Fault> {
        let loaded = self.loaded(entry)?;
        let entry = &ENTRIES[entry];
        // The driver copies the arguments before the call returns, and only reads them.
        let mut parameters = [args.as_ptr().cast_mut().cast::<c_void>()];
        self.ask(entry.name, |functions| {
            let (stream, parameters) = (handle(stream), parameters.as_mut_ptr());
            let ([x, y], shared) = (grid, entry.shared_bytes);
            // SAFETY: one parameter, the struct that the caller says the program takes.
            unsafe {
                (functions.launch)(
                    loaded.function,
                    x,
                    y,
                    1,
                    entry.threads,
                    1,
                    1,
                    shared,
                    stream,
                    parameters,
                    null_mut(),
                )
            }
        })
    }

    fn synchronise(&self, stream: StreamId) -> Result<(), Fault> {
        // SAFETY: the stream's lane closes it only when it is dropped.
        self.ask("waiting for the card", |functions| unsafe { (functions.synchronise)(handle(stream)) })
    }

    fn resident_blocks(&self, entry: usize) -> Result<u32, Fault> {
        Ok(self.loaded(entry)?.resident_blocks)
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        for module in &self.modules {
            if let Some(Ok(module)) = module.lock().take() {
                self.unload(module.handle);
            }
        }
        // SAFETY: it was retained in `open`. Whatever was not given back goes with the last who retains it.
        let _ = unsafe { (self.functions.release)(self.card) };
    }
}
