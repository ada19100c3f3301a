//! The children as the parent keeps them: warm while they are sound, watched while they work, ended when they go wrong.

use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::wire::{Body, Question};
use super::{Limits, Program, wire};
use crate::extract::parts::{Continuation, Part};
use crate::extract::{Document, ExtractError, Extractor, Source};

/// How often a child at work is looked at.
const TICK: Duration = Duration::from_millis(20);
/// A child that has read so many files is replaced: what its readers lose of memory does not add up.
const MAX_FILES: usize = 500;
/// A child that still has so much memory after a file is replaced.
const MAX_RESIDENT_AFTER: u64 = 256 * 1024 * 1024;
/// A child whose readers have printed so much is replaced.
const MAX_SAID_BYTES: u64 = 1024 * 1024;
/// So much of what a child printed last is looked at when it has died.
const LAST_WORDS_BYTES: u64 = 4096;
/// Files of so many bytes have a second more each.
const BYTES_A_SECOND: u64 = 1024 * 1024;

/// Reads files in child processes, as many at once as ask.
pub struct Children {
    program: Program,
    limits: Limits,
    idle: Mutex<Vec<Worker>>,
    /// Why children can do more than they should, once one has said so.
    unconfined: OnceLock<String>,
    watch: Arc<Watch>,
    watcher: Option<JoinHandle<()>>,
}

/// Why a child was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Overdue(Duration),
    Memory,
}

/// A child process, at no work.
struct Worker {
    process: Arc<Mutex<std::process::Child>>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What its readers print: a file without a name.
    said: std::fs::File,
    num_files: usize,
}

/// A child at work.
struct Job {
    number: u64,
    process: Arc<Mutex<std::process::Child>>,
    began: Instant,
    timeout: Duration,
    ended_for: Option<Cause>,
}

/// The children at work, for the thread that looks at them.
#[derive(Default)]
struct Watch {
    jobs: Mutex<(Vec<Job>, bool)>,
    changed: Condvar,
    next_number: AtomicU64,
}

impl Children {
    /// No child yet: the first is started for the first file.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn new(program: Program, limits: Limits) -> io::Result<Self> {
        let watch = Arc::<Watch>::default();
        let (for_thread, memory_bytes) = (Arc::clone(&watch), limits.memory_bytes);
        let watcher =
            std::thread::Builder::new().name("extraction".to_owned()).spawn(move || for_thread.run(memory_bytes))?;
        Ok(Self { program, limits, idle: Mutex::default(), unconfined: OnceLock::new(), watch, watcher: Some(watcher) })
    }

    fn worker(&self) -> Result<Worker, ExtractError> {
        if let Some(worker) = lock(&self.idle).pop() {
            return Ok(worker);
        }
        self.start()
    }

    fn start(&self) -> Result<Worker, ExtractError> {
        Worker::start(&self.program, self.limits.memory_bytes)
            .map_err(|error| ExtractError::Unavailable { reason: format!("no reader process can be started: {error}") })
    }

    /// The answer of a child, or how it went wrong; the child is kept if it is sound.
    fn ask<T>(&self, mut worker: Worker, ask: &mut Ask<'_, '_, T>) -> Result<T, Wrong> {
        let timeout = self.limits.timeout + Duration::from_secs(ask.body.len() / BYTES_A_SECOND);
        let number = self.watch.begin(&worker, timeout);
        let answer = wire::write_request(&mut worker.input, &ask.question, &mut ask.body)
            .and_then(|()| if worker.num_files == 0 { self.take_greeting(&mut worker) } else { Ok(()) })
            .and_then(|()| (ask.read_answer)(&mut worker.output));
        let ended_for = self.watch.end(number);
        worker.num_files += 1;
        match (answer, ended_for) {
            (Ok(answer), None) => {
                if worker.is_sound() {
                    lock(&self.idle).push(worker);
                }
                Ok(answer)
            }
            // It was done when its time was up.
            (Ok(answer), Some(_)) => Ok(answer),
            (Err(error), ended_for) => Err(Wrong {
                reason: self.reason(&mut worker, &error, ended_for),
                may_be_old: ended_for.is_none() && worker.num_files > 1,
            }),
        }
    }

    /// Takes note, and says once, where files are read without the filter that keeps a reader from everything else.
    fn take_greeting(&self, worker: &mut Worker) -> io::Result<()> {
        if let Some(reason) = wire::read_greeting(&mut worker.output)?
            && self.unconfined.set(reason.clone()).is_ok()
        {
            tracing::warn!(%reason, "files are read in processes that could open files and connections");
        }
        Ok(())
    }

    fn reason(&self, worker: &mut Worker, error: &io::Error, ended_for: Option<Cause>) -> String {
        let memory = || format!("reading it takes more than {} MB of memory", self.limits.memory_bytes / 1_000_000);
        match (ended_for, error.kind()) {
            (Some(Cause::Overdue(after)), _) => format!("reading it takes longer than {} s", after.as_secs()),
            (Some(Cause::Memory), _) => memory(),
            (None, io::ErrorKind::FileTooLarge) => {
                format!("its text is longer than {} MB", self.limits.text_bytes / 1_000_000)
            }
            (None, io::ErrorKind::Other) => error.to_string(),
            (None, io::ErrorKind::InvalidData) => format!("the reader for this type went wrong: {error}"),
            _ if worker.last_words().contains("memory allocation of") => memory(),
            _ => format!("the reader for this type crashed on the file ({})", worker.how_it_ended()),
        }
    }
}

/// A child that has ended or makes no sense.
struct Wrong {
    reason: String,
    /// Whether the fault may be of a file before.
    may_be_old: bool,
}

/// What a child is asked, and how its answer is read.
struct Ask<'a, 's, T> {
    question: Question,
    body: Body<'a, 's>,
    read_answer: &'a dyn Fn(&mut BufReader<ChildStdout>) -> io::Result<T>,
}

impl Children {
    fn read_whole(&self, body: Body<'_, '_>, file_name: &str) -> Result<Document, ExtractError> {
        let max_text_bytes = self.limits.text_bytes;
        self.ask_any(Ask {
            question: Question::File { file_name: file_name.to_owned(), max_text_bytes },
            body,
            read_answer: &|output| wire::read_answer(output, max_text_bytes),
        })
    }

    /// Asks a child, and another one where the first may have gone wrong for a file before.
    fn ask_any<T>(&self, mut ask: Ask<'_, '_, Result<T, ExtractError>>) -> Result<T, ExtractError> {
        let failed = |wrong: Wrong| Err(ExtractError::Failed { reason: wrong.reason });
        match self.ask(self.worker()?, &mut ask) {
            Ok(answer) => answer,
            Err(wrong) if wrong.may_be_old => self.ask(self.start()?, &mut ask).unwrap_or_else(failed),
            Err(wrong) => failed(wrong),
        }
    }
}

impl Extractor for Children {
    fn extract(&self, bytes: Vec<u8>, file_name: &str) -> Result<Document, ExtractError> {
        self.read_whole(Body::Bytes(&bytes), file_name)
    }

    fn extract_from(&self, mut source: Source<'_>, file_name: &str) -> Result<Document, ExtractError> {
        self.read_whole(Body::Source(&mut source), file_name)
    }

    fn extract_part(
        &self,
        bytes: &[u8],
        is_last: bool,
        file_name: &str,
        before: Option<&Continuation>,
    ) -> Result<Option<Part>, ExtractError> {
        self.ask_any(Ask {
            question: Question::Part { file_name: file_name.to_owned(), is_last, before: before.cloned() },
            body: Body::Bytes(bytes),
            read_answer: &|output| wire::read_part(output, bytes.len(), self.limits.text_bytes),
        })
    }

    fn weakness(&self) -> Option<String> {
        let reason = self.unconfined.get()?;
        Some(format!("files are read in processes that could open files and connections: {reason}"))
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        lock(&self.watch.jobs).1 = true;
        self.watch.changed.notify_all();
        if let Some(watcher) = self.watcher.take() {
            // It does not panic.
            let _ = watcher.join();
        }
    }
}

impl Worker {
    fn start(program: &Program, memory_bytes: u64) -> io::Result<Self> {
        let said = tempfile::tempfile()?;
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .arg(memory_bytes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said.try_clone()?);
        // What is in the environment is nothing to a reader of files.
        command.env_clear().env("RUST_BACKTRACE", "0");
        let mut process = command.spawn()?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let (input, output) = (process.stdin.take().ok_or_else(gone)?, process.stdout.take().ok_or_else(gone)?);
        let process = Arc::new(Mutex::new(process));
        Ok(Self { process, input, output: BufReader::new(output), said, num_files: 0 })
    }

    /// Whether it may read another file.
    fn is_sound(&self) -> bool {
        let id = lock(&self.process).id();
        self.num_files < MAX_FILES
            && resident_bytes(id).is_none_or(|resident| resident < MAX_RESIDENT_AFTER)
            && self.said.metadata().is_ok_and(|said| said.len() < MAX_SAID_BYTES)
    }

    fn last_words(&mut self) -> String {
        let end = self.said.metadata().map_or(0, |said| said.len());
        let mut words = Vec::new();
        // Nothing is missing without them but a part of a reason.
        let _ = self.said.seek(SeekFrom::Start(end.saturating_sub(LAST_WORDS_BYTES)));
        let _ = (&mut self.said).take(LAST_WORDS_BYTES).read_to_end(&mut words);
        String::from_utf8_lossy(&words).into_owned()
    }

    fn how_it_ended(&self) -> String {
        let mut process = lock(&self.process);
        // One that lives and does not talk any more is ended.
        let _ = process.kill();
        process.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut process = lock(&self.process);
        // It may have ended by itself.
        let _ = process.kill();
        let _ = process.wait();
    }
}

impl Watch {
    fn begin(&self, worker: &Worker, timeout: Duration) -> u64 {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let process = Arc::clone(&worker.process);
        lock(&self.jobs).0.push(Job { number, process, began: Instant::now(), timeout, ended_for: None });
        self.changed.notify_all();
        number
    }

    /// Looks at a child no more, and returns why it was ended, if it was.
    fn end(&self, number: u64) -> Option<Cause> {
        let mut jobs = lock(&self.jobs);
        let at = jobs.0.iter().position(|job| job.number == number)?;
        jobs.0.swap_remove(at).ended_for
    }

    fn run(&self, memory_bytes: u64) {
        let mut jobs = lock(&self.jobs);
        while !jobs.1 {
            if jobs.0.is_empty() {
                jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            for job in jobs.0.iter_mut().filter(|job| job.ended_for.is_none()) {
                let mut process = lock(&job.process);
                let resident = resident_bytes(process.id());
                job.ended_for = if job.began.elapsed() > job.timeout {
                    Some(Cause::Overdue(job.timeout))
                } else {
                    resident.filter(|&resident| resident > memory_bytes).map(|_| Cause::Memory)
                };
                if job.ended_for.is_some() {
                    // It may have ended by itself.
                    let _ = process.kill();
                }
            }
            jobs = self.changed.wait_timeout(jobs, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The memory of a process that resides, in bytes; `None` where the system does not say.
fn resident_bytes(id: u32) -> Option<u64> {
    let pages = fs_err::read_to_string(format!("/proc/{id}/statm")).ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_size())
}

#[cfg(unix)]
fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(not(unix))]
fn page_size() -> u64 {
    4096
}

/// Nothing here leaves a lock's content half changed when it panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
