//! Running other programs: output to a log file, a sign of life while they run, the tail when they fail.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Fallible;

/// Lines of a failed program that are shown; the rest is in the log.
const TAIL_LINES: usize = 120;
/// Silence after which a line says that the program still runs.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// Runs programs in one folder and keeps what they print in one log.
pub(crate) struct Exec {
    root: PathBuf,
    log_path: PathBuf,
    log: File,
    verbose: bool,
}

impl Exec {
    /// Starts an empty log called `name` in the folder for logs.
    pub(crate) fn open(root: &Path, name: &str, verbose: bool) -> Fallible<Self> {
        let folder = target_dir(root).join("ci");
        fs::create_dir_all(&folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
        let log_path = folder.join(format!("{name}.log"));
        let log = File::create(&log_path).map_err(|e| format!("cannot create {}: {e}", log_path.display()))?;
        Ok(Self { root: root.to_path_buf(), log_path, log, verbose })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A command that starts in the root, without the variables cargo set for this tool alone: with them the
    /// build scripts of some crates would see another environment than in a plain `cargo build` and run again.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let ours = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
            if ours || matches!(&*text, "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR") {
                command.env_remove(&name);
            }
        }
        if in_ci() {
            command.env("CARGO_INCREMENTAL", "0");
        }
        command
    }

    /// The cargo that started this tool.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(program);
        command.args(args);
        command
    }

    /// Runs a command to its end; each line it prints goes to the log and to `on_line`.
    pub(crate) fn run(&mut self, command: &mut Command, mut on_line: impl FnMut(&str)) -> Fallible<()> {
        let shown = display(command);
        self.note(&format!("$ {shown}"))?;
        let (reader, writer) = io::pipe().map_err(|e| format!("cannot make a pipe for `{shown}`: {e}"))?;
        let second = writer.try_clone().map_err(|e| format!("cannot make a pipe for `{shown}`: {e}"))?;
        let started = Instant::now();
        let mut child =
            command.stdout(writer).stderr(second).spawn().map_err(|e| format!("cannot start `{shown}`: {e}"))?;
        // The command still owns the writing ends; the reader would never see the end of the output.
        command.stdout(Stdio::null()).stderr(Stdio::null());

        let (send, lines) = sync_channel(256);
        let pump = thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            let mut raw = Vec::new();
            while reader.read_until(b'\n', &mut raw).is_ok_and(|n| n > 0) {
                let line = String::from_utf8_lossy(&raw).trim_end().to_owned();
                if send.send(line).is_err() {
                    break;
                }
                raw.clear();
            }
        });
        let mut tail = VecDeque::new();
        loop {
            match lines.recv_timeout(SIGN_OF_LIFE) {
                Ok(line) => {
                    on_line(&line);
                    self.note(&line)?;
                    if tail.len() == TAIL_LINES {
                        tail.pop_front();
                    }
                    tail.push_back(line);
                }
                Err(RecvTimeoutError::Timeout) => println!("        ... {shown}: {} s", started.elapsed().as_secs()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        pump.join().map_err(|_| format!("the reader of `{shown}` panicked"))?;
        let status = child.wait().map_err(|e| format!("cannot wait for `{shown}`: {e}"))?;
        if status.success() {
            return Ok(());
        }
        if !self.verbose {
            for line in &tail {
                println!("    | {line}");
            }
        }
        Err(format!("`{shown}` failed ({status}); all of its output is in {}", self.log_path.display()))
    }

    /// Runs a command to its end and returns what it printed on standard output.
    pub(crate) fn stdout(&mut self, command: &mut Command) -> Fallible<String> {
        let shown = display(command);
        self.note(&format!("$ {shown}"))?;
        let output = command.stderr(Stdio::piped()).output().map_err(|e| format!("cannot start `{shown}`: {e}"))?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        self.note(errors.trim_end())?;
        if !output.status.success() {
            return Err(format!("`{shown}` failed ({}): {}", output.status, errors.trim_end()));
        }
        String::from_utf8(output.stdout).map_err(|e| format!("`{shown}` printed text that is not UTF-8: {e}"))
    }

    fn note(&mut self, line: &str) -> Fallible<()> {
        if self.verbose {
            println!("    | {line}");
        }
        writeln!(self.log, "{line}").map_err(|e| format!("cannot write {}: {e}", self.log_path.display()))
    }
}

/// Whether an unattended run is meant, in which nothing may be left out because the machine lacks it.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| v == "true" || v == "1")
}

/// Where cargo puts its output.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}

/// Whether a program of this name is in the search path.
pub(crate) fn in_path(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn display(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut text = program.to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
