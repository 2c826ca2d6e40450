"""What the kernel says of a process, and how many processors it may use."""

import ctypes
import ctypes.util
import gc
import os
import signal
import time


def memory_bytes():
    """Resident memory of this process now and at its highest."""
    fields = {}
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                fields[name] = int(value.split()[0]) * 1024
    return fields["VmRSS"], fields["VmHWM"]


def end_with_parent():
    """Has the kernel end this process when its parent ends, however that ends: a build does not look at its input."""
    die_with_parent = 1  # PR_SET_PDEATHSIG of Linux's prctl
    libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6")
    if hasattr(libc, "prctl"):
        libc.prctl(die_with_parent, int(signal.SIGKILL))


def file_bytes(folder):
    """Bytes of all files below a folder."""
    places = ((place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(os.path.getsize(os.path.join(place, name)) for place, name in places)


def give_back():
    """Has the allocator return what was freed, so that resident memory is what is still used."""
    gc.collect()
    libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6")
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def pin(cpus):
    """Lets every thread of this process run on these processors alone; threads that they start inherit it."""
    for task in os.listdir("/proc/self/task"):
        try:
            os.sched_setaffinity(int(task), cpus)
        except ProcessLookupError:
            pass  # the thread has ended meanwhile


def thread_seconds():
    """Processor time of each living thread."""
    seconds = {}
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/schedstat", encoding="ascii") as file:
                seconds[task] = int(file.read().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            pass
    return seconds


def process_seconds(process="self"):
    """Processor time of a whole process, ended threads included, in steps of a clock tick."""
    with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Wall and processor time of what runs between `start` and `stop`, and how many threads, of those
    that still live, had more than a twentieth of it."""

    def start(self):
        self.threads = thread_seconds()
        self.ticks = process_seconds()
        self.cpu = time.process_time()
        self.wall = time.perf_counter()

    def stop(self):
        wall = time.perf_counter() - self.wall
        cpu = max(time.process_time() - self.cpu, 0.0)
        ticks = process_seconds() - self.ticks
        after = thread_seconds()
        spent = [seconds - self.threads.get(task, 0.0) for task, seconds in after.items()]
        busy = sum(1 for seconds in spent if seconds > 0.05 * max(cpu, 1e-9))
        return {"seconds": wall, "cpu_seconds": cpu, "cpu_seconds_of_proc": ticks, "busy_threads": busy}


def within(measured, threads):
    """Whether no more processor time was used than so many threads can; clock ticks allow for some slack."""
    allowed = measured["seconds"] * threads * 1.05 + 0.03
    return measured["cpu_seconds"] <= allowed and measured["cpu_seconds_of_proc"] <= allowed
