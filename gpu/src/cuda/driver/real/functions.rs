//! The functions of the driver that are used, by the names that every driver of the last ten years has.
use std::ffi::{c_char, c_int, c_uint, c_void};

use cudarc::driver::sys;

macro_rules! functions {
    ($($name:ident = $symbol:literal ($($argument:ty),*);)*) => {
        /// What the driver's library offers.
        #[derive(Clone, Copy, Debug)]
        pub(super) struct Functions {
            $(#[doc = $symbol] pub(super) $name: unsafe extern "C" fn($($argument),*) -> c_uint,)*
        }

        impl Functions {
            /// Finds all of them.
            ///
            /// To be called only when the library is known to be there: cudarc panics otherwise.
            pub(super) fn load() -> Result<Self, String> {
                // SAFETY: the library is there.
                let library = unsafe { sys::culib() };
                Ok(Self {$(
                    $name: {
                        // SAFETY: the type is that of the driver's manual; the library is never unloaded.
                        let found = unsafe {
                            library.get::<unsafe extern "C" fn($($argument),*) -> c_uint>(concat!($symbol, "\0").as_bytes())
                        };
                        *found.map_err(|error| format!("the driver lacks {}: {error}", $symbol))?
                    },
                )*})
            }
        }
    };
}

functions! {
    init = "cuInit" (c_uint);
    error_name = "cuGetErrorName" (c_uint, *mut *const c_char);
    driver_version = "cuDriverGetVersion" (*mut c_int);
    device_count = "cuDeviceGetCount" (*mut c_int);
    device = "cuDeviceGet" (*mut c_int, c_int);
    device_name = "cuDeviceGetName" (*mut c_char, c_int, c_int);
    device_memory = "cuDeviceTotalMem_v2" (*mut usize, c_int);
    device_attribute = "cuDeviceGetAttribute" (*mut c_int, sys::CUdevice_attribute, c_int);
    retain = "cuDevicePrimaryCtxRetain" (*mut sys::CUcontext, c_int);
    release = "cuDevicePrimaryCtxRelease_v2" (c_int);
    enter = "cuCtxSetCurrent" (sys::CUcontext);
    memory_info = "cuMemGetInfo_v2" (*mut usize, *mut usize);
    allocate = "cuMemAlloc_v2" (*mut sys::CUdeviceptr, usize);
    free = "cuMemFree_v2" (sys::CUdeviceptr);
    pin = "cuMemHostAlloc" (*mut *mut c_void, usize, c_uint);
    unpin = "cuMemFreeHost" (*mut c_void);
    open_stream = "cuStreamCreate" (*mut sys::CUstream, c_uint);
    close_stream = "cuStreamDestroy_v2" (sys::CUstream);
    synchronise = "cuStreamSynchronize" (sys::CUstream);
    send = "cuMemcpyHtoDAsync_v2" (sys::CUdeviceptr, *const c_void, usize, sys::CUstream);
    receive = "cuMemcpyDtoHAsync_v2" (*mut c_void, sys::CUdeviceptr, usize, sys::CUstream);
    receive_lines = "cuMemcpy2DAsync_v2" (*const sys::CUDA_MEMCPY2D, sys::CUstream);
    fill = "cuMemsetD32Async" (sys::CUdeviceptr, c_uint, usize, sys::CUstream);
    load = "cuModuleLoadDataEx" (
        *mut sys::CUmodule, *const c_void, c_uint, *mut sys::CUjit_option, *mut *mut c_void
    );
    unload = "cuModuleUnload" (sys::CUmodule);
    function = "cuModuleGetFunction" (*mut sys::CUfunction, sys::CUmodule, *const c_char);
    set_attribute = "cuFuncSetAttribute" (sys::CUfunction, sys::CUfunction_attribute, c_int);
    occupancy = "cuOccupancyMaxActiveBlocksPerMultiprocessor" (*mut c_int, sys::CUfunction, c_int, usize);
    launch = "cuLaunchKernel" (
        sys::CUfunction, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, sys::CUstream, *mut *mut c_void,
        *mut *mut c_void
    );
}
