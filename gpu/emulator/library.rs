//! The CUDA programs as a library of this machine: builds the emulator, launches programs, and lends memory to them.
//! Tests take it in by its path.
use std::env;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::process::{self, Command};
use std::sync::OnceLock;

use elanus_shaders::cuda::Entry;
use libloading::Library;

type Launch = unsafe extern "C" fn(*const c_char, *const u32, u32, *const c_void, u32) -> c_int;

/// The library and its functions.
#[derive(Debug)]
pub(crate) struct Emulator {
    launch: Launch,
    error: unsafe extern "C" fn() -> *const c_char,
    seed: unsafe extern "C" fn(u64),
    allocate: unsafe extern "C" fn(usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, usize),
    /// Keeps the functions where they are.
    _library: Library,
}

impl Emulator {
    /// The library, built at the first call; or why there is none.
    pub(crate) fn get() -> Result<&'static Self, &'static str> {
        static BUILT: OnceLock<Result<Emulator, String>> = OnceLock::new();
        BUILT.get_or_init(build).as_ref().map_err(String::as_str)
    }

    /// Sets the order in which warps and blocks run from now on, in this thread.
    pub(crate) fn seed(&self, seed: u64) {
        // SAFETY: the function takes any number.
        unsafe { (self.seed)(seed) }
    }

    /// Runs a program to its end.
    ///
    /// # Safety
    /// `args` is the structure of the entry point, and all that it points to is there.
    pub(crate) unsafe fn launch<T: Copy>(&self, entry: &Entry, grid: [u32; 2], args: &T) -> Result<(), String> {
        let name = CString::new(entry.name).map_err(|error| error.to_string())?;
        let args = std::ptr::from_ref(args).cast();
        // SAFETY: name, grid and args outlive the call; what the args point to is the caller's duty.
        let code = unsafe { (self.launch)(name.as_ptr(), grid.as_ptr(), entry.threads, args, entry.shared_bytes) };
        if code == 0 {
            return Ok(());
        }
        // SAFETY: the text ends with a zero, and stays until the next launch of this thread.
        Err(unsafe { CStr::from_ptr((self.error)()) }.to_string_lossy().into_owned())
    }

    /// Memory for so many values, filled with bytes 255; what lies behind it cannot be touched.
    pub(crate) fn allocate<T: Copy>(&'static self, len: usize) -> Memory<T> {
        // SAFETY: the function takes any number, and returns null where there is no memory.
        let pointer = unsafe { (self.allocate)(len * size_of::<T>()) };
        assert!(!pointer.is_null(), "no memory for {len} values");
        Memory { emulator: self, pointer: pointer.cast(), len, values: PhantomData }
    }

    /// A copy of the values.
    pub(crate) fn upload<T: Copy>(&'static self, values: &[T]) -> Memory<T> {
        let mut memory = self.allocate(values.len());
        memory.as_mut_slice().copy_from_slice(values);
        memory
    }
}

/// Memory of the emulated card, of numbers for which all bits may be set.
#[derive(Debug)]
pub(crate) struct Memory<T> {
    emulator: &'static Emulator,
    pointer: *mut T,
    len: usize,
    values: PhantomData<T>,
}

impl<T: Copy> Memory<T> {
    pub(crate) const fn pointer(&self) -> *mut T {
        self.pointer
    }

    pub(crate) const fn as_slice(&self) -> &[T] {
        // SAFETY: there are so many values, written when the memory was made, and no launch runs meanwhile.
        unsafe { std::slice::from_raw_parts(self.pointer, self.len) }
    }

    pub(crate) const fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above; the borrow is the only one.
        unsafe { std::slice::from_raw_parts_mut(self.pointer, self.len) }
    }
}

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        // SAFETY: came from the function that allocates, with the same size.
        unsafe { (self.emulator.free)(self.pointer.cast(), self.len * size_of::<T>()) }
    }
}

#[allow(clippy::disallowed_methods, reason = "a test puts away the library that it made")]
fn build() -> Result<Emulator, String> {
    if !cfg!(unix) {
        return Err("the emulator needs a Unix".to_owned());
    }
    let gpu = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("libemulator-{}.so", process::id()));
    let mut command = Command::new(&compiler);
    command.args(["-std=c++17", "-O2", "-march=native", "-shared", "-fPIC", "-fvisibility=hidden"]);
    // Products are rounded before they are added, as the programs are compiled for cards.
    command.args(["-ffp-contract=off", "-Wno-unknown-pragmas", "-x", "c++"]);
    command.arg("-I").arg(gpu.join("../shaders/src/cuda")).arg("-I").arg(gpu.join("emulator"));
    command.arg(gpu.join("emulator/emulator.cpp")).arg("-o").arg(&library);
    let output = command.output().map_err(|error| format!("no C++ compiler: {error}"))?;
    if !output.status.success() {
        // A compiler that is there has to take the text.
        panic!("the emulator does not compile: {}", String::from_utf8_lossy(&output.stderr));
    }
    // SAFETY: the library was made just now, and its constructors only make a list of its entry points.
    let loaded = unsafe { Library::new(&library) };
    drop(std::fs::remove_file(&library));
    let loaded = loaded.map_err(|error| error.to_string())?;
    // SAFETY: the functions have these types in emulator.cpp, and the library is kept with them.
    let found = unsafe {
        let launch = loaded.get(b"emulate\0").map(|symbol| *symbol);
        let error = loaded.get(b"emulate_error\0").map(|symbol| *symbol);
        let seed = loaded.get(b"emulate_seed\0").map(|symbol| *symbol);
        let allocate = loaded.get(b"emulate_allocate\0").map(|symbol| *symbol);
        let free = loaded.get(b"emulate_free\0").map(|symbol| *symbol);
        (launch, error, seed, allocate, free)
    };
    let (Ok(launch), Ok(error), Ok(seed), Ok(allocate), Ok(free)) = found else {
        return Err("the emulator lacks a function".to_owned());
    };
    Ok(Emulator { launch, error, seed, allocate, free, _library: loaded })
}
