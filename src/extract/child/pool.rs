//! The children as the parent keeps them: warm while they are sound, watched while they work, ended when they go wrong.

use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::gate::{Gate, Kind};
use super::memory::resident_bytes_of;
use super::watch::{Cause, Watch};
use super::wire::{Body, Question};
use super::{Limits, Program, ReaderCounts, drawing, wire};
use crate::extract::drawn::{DrawnPage, PageQuestion};
use crate::extract::parts::{Continuation, Part};
use crate::extract::{Document, ExtractError, Extractor, Source};

/// A child that has read so many files is replaced: what its readers lose of memory does not add up.
const MAX_FILES: usize = 500;
/// A child that still has so much memory after a file is replaced.
const MAX_RESIDENT_AFTER: u64 = 128 * 1024 * 1024;
/// A child whose readers have printed so much is replaced.
const MAX_SAID_BYTES: u64 = 1024 * 1024;
/// So much of what a child printed last is looked at when it has died.
const LAST_WORDS_BYTES: u64 = 4096;
/// So long after its pipe is closed a child may still be seen as living.
const DYING: Duration = Duration::from_millis(500);
/// The pause before a file is tried again whose child was ended from outside, and how many times longer the next one is.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSES_GROW: u32 = 4;
/// A page that nobody has drawn after so long is not drawn: somebody looks at it, and others wait for the child.
const MAX_DRAWING: Duration = Duration::from_secs(15);
/// Files of so many bytes have a second more each.
const BYTES_A_SECOND: u64 = 1024 * 1024;

/// Reads files in child processes, so many at once as there are places, and so much as all of them together may take.
pub struct Children {
    gate: Gate,
    program: Program,
    limits: Limits,
    /// Why children can do more than they should, once one has said so.
    unconfined: OnceLock<String>,
    watch: Arc<Watch>,
    watcher: Option<JoinHandle<()>>,
}

/// A child process, at no work.
pub(super) struct Worker {
    process: Arc<Mutex<std::process::Child>>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What its readers print: a file without a name.
    said: std::fs::File,
    num_files: usize,
}

impl Children {
    /// No child yet: the first is started for the first file.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn new(program: Program, limits: Limits) -> io::Result<Self> {
        let watch = Arc::<Watch>::default();
        let for_thread = Arc::clone(&watch);
        let watcher =
            std::thread::Builder::new().name("extraction".to_owned()).spawn(move || for_thread.run(&limits))?;
        let gate = Gate::new(limits.max_children);
        Ok(Self { gate, program, limits, unconfined: OnceLock::new(), watch, watcher: Some(watcher) })
    }

    fn worker(&self) -> Result<Worker, ExtractError> {
        match self.watch.take_idle() {
            Some(worker) => Ok(worker),
            None => self.start(),
        }
    }

    fn start(&self) -> Result<Worker, ExtractError> {
        self.watch.make_room(self.limits.max_children);
        Worker::start(&self.program, self.limits.memory_bytes)
            .inspect(|_| self.watch.count_start())
            .map_err(|error| ExtractError::Unavailable { reason: format!("no reader process can be started: {error}") })
    }

    /// The answer of a child, or how it went wrong; the child is kept if it is sound.
    fn ask<T>(&self, mut worker: Worker, ask: &mut Ask<'_, '_, T>) -> Result<T, Wrong> {
        let timeout = ask.timeout + Duration::from_secs(ask.body.len() / BYTES_A_SECOND);
        let number = self.watch.begin(&worker.process, timeout);
        let answer = wire::write_request(&mut worker.input, &ask.question, &mut ask.body)
            .and_then(|()| if worker.num_files == 0 { self.take_greeting(&mut worker) } else { Ok(()) })
            .and_then(|()| (ask.read_answer)(&mut worker.output));
        let ended_for = self.watch.end(number);
        worker.num_files += 1;
        match (answer, ended_for) {
            (Ok(answer), None) => {
                if let Some(resident) = worker.resident_if_sound() {
                    self.watch.keep(worker, resident, &self.limits);
                }
                Ok(answer)
            }
            // It was done when its time was up.
            (Ok(answer), Some(_)) => Ok(answer),
            (Err(error), ended_for) => {
                let fault = match ended_for {
                    Some(Cause::MemoryOfAll) => Fault::All,
                    None if is_broken_off(&error) && worker.was_killed() => Fault::Others,
                    None if worker.num_files > 1 => Fault::FileBefore,
                    Some(Cause::Overdue(_) | Cause::Memory) | None => Fault::File,
                };
                self.watch.count_end(ended_for, fault == Fault::Others);
                Err(Wrong { reason: self.reason(&mut worker, &error, ended_for, ask.most), fault })
            }
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

    fn reason(&self, worker: &mut Worker, error: &io::Error, ended_for: Option<Cause>, most: Most) -> String {
        let memory = || format!("reading it takes more than {} MB of memory", self.limits.memory_bytes / 1_000_000);
        match (ended_for, error.kind()) {
            (Some(Cause::Overdue(after)), _) => format!("reading it takes longer than {} s", after.as_secs()),
            (Some(Cause::Memory | Cause::MemoryOfAll), _) => memory(),
            (None, io::ErrorKind::FileTooLarge) if wire::is_of_structure(error) => {
                let (for_its_size, key) = if most.structure_bytes < self.limits.most_structure_bytes {
                    (" for its size", "reader_structure_mb")
                } else {
                    ("", "reader_structure_most_mb")
                };
                format!(
                    "it has too many paragraphs, rows or pages{for_its_size} ({error}; the limit is `limits.{key}`)"
                )
            }
            (None, io::ErrorKind::FileTooLarge) => {
                let is_for_its_size = most.text_bytes < self.limits.text_bytes;
                let key = if is_for_its_size { "limits.reader_text_mb" } else { "extraction.text_mb" };
                let for_its_size = if is_for_its_size { ", too long for its size" } else { "" };
                format!(
                    "its text is longer than {} MB{for_its_size} (the limit is `{key}`)",
                    most.text_bytes / 1_000_000
                )
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
    fault: Fault,
}

/// Whose fault it is that a child went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    File,
    /// It may be of a file that the child read before.
    FileBefore,
    /// The child was ended from outside.
    Others,
    /// All children together took too much memory.
    All,
}

/// Whether the other side has closed the pipe.
fn is_broken_off(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// What is taken of a child's answer at the most.
#[derive(Debug, Clone, Copy)]
struct Most {
    text_bytes: usize,
    structure_bytes: u64,
}

impl Most {
    fn of(limits: &Limits, file_bytes: u64) -> Self {
        Self { text_bytes: limits.text_bytes_of(file_bytes), structure_bytes: limits.structure_bytes_of(file_bytes) }
    }
}

/// What a child is asked, and how its answer is read.
struct Ask<'a, 's, T> {
    question: Question,
    body: Body<'a, 's>,
    timeout: Duration,
    most: Most,
    read_answer: &'a dyn Fn(&mut BufReader<ChildStdout>) -> io::Result<T>,
}

/// The children, for some who ask them.
#[derive(Clone, Copy)]
struct Asker<'c> {
    children: &'c Children,
    kind: Kind,
}

impl Asker<'_> {
    fn read_whole(self, body: Body<'_, '_>, file_name: &str) -> Result<Document, ExtractError> {
        let most = Most::of(&self.children.limits, body.len());
        self.ask_any(Ask {
            question: Question::File { file_name: file_name.to_owned(), max_text_bytes: most.text_bytes },
            body,
            timeout: self.children.limits.timeout,
            most,
            read_answer: &|output| wire::read_answer(output, most.text_bytes, most.structure_bytes),
        })
    }

    /// Asks a child, and another one where the fault may not be of the file: the first read other files before, or was ended from
    /// outside, or because all together took too much memory; then the file has the memory of all for itself.
    fn ask_any<T>(self, mut ask: Ask<'_, '_, Result<T, ExtractError>>) -> Result<T, ExtractError> {
        let Self { children, kind } = self;
        let (mut is_new, mut is_alone, mut num_killed) = (false, false, 0);
        loop {
            let pass = children.gate.enter(kind, is_alone);
            let worker = if is_new { children.start()? } else { children.worker()? };
            let wrong = match children.ask(worker, &mut ask) {
                Ok(answer) => return answer,
                Err(wrong) => wrong,
            };
            drop(pass);
            match wrong.fault {
                Fault::FileBefore if !is_new => {}
                Fault::All if !is_alone => is_alone = true,
                Fault::Others => {
                    num_killed += 1;
                    if num_killed >= children.limits.max_tries {
                        let reason = format!(
                            "its reader was ended from outside {num_killed} times, as often as it is tried \
                             (`limits.reader_tries`): {}",
                            wrong.reason
                        );
                        return Err(ExtractError::Killed { reason });
                    }
                    std::thread::sleep(PAUSE * PAUSES_GROW.pow(num_killed - 1));
                }
                _ => return Err(ExtractError::Failed { reason: wrong.reason }),
            }
            is_new = true;
            children.watch.count_retry();
        }
    }
}

impl Extractor for Asker<'_> {
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
        let most = Most::of(&self.children.limits, bytes.len() as u64);
        self.ask_any(Ask {
            question: Question::Part { file_name: file_name.to_owned(), is_last, before: before.cloned() },
            body: Body::Bytes(bytes),
            timeout: self.children.limits.timeout,
            most,
            read_answer: &|output| wire::read_part(output, bytes.len(), most.text_bytes, most.structure_bytes),
        })
    }

    fn draw_page(
        &self,
        mut source: Source<'_>,
        file_name: &str,
        page: &PageQuestion,
    ) -> Result<DrawnPage, ExtractError> {
        let body = Body::Source(&mut source);
        let drawer = Self { kind: Kind::Picture, ..*self };
        drawer.ask_any(Ask {
            question: Question::Page { file_name: file_name.to_owned(), page: *page },
            timeout: self.children.limits.timeout.min(MAX_DRAWING),
            most: Most::of(&self.children.limits, body.len()),
            body,
            read_answer: &|output| drawing::read_page(output, page),
        })
    }
}

impl Children {
    const fn request(&self) -> Asker<'_> {
        Asker { children: self, kind: Kind::Request }
    }

    const fn line(&self) -> Asker<'_> {
        Asker { children: self, kind: Kind::Line }
    }
}

impl Extractor for Children {
    fn extract(&self, bytes: Vec<u8>, file_name: &str) -> Result<Document, ExtractError> {
        self.line().extract(bytes, file_name)
    }

    fn extract_from(&self, source: Source<'_>, file_name: &str) -> Result<Document, ExtractError> {
        self.line().extract_from(source, file_name)
    }

    fn extract_part(
        &self,
        bytes: &[u8],
        is_last: bool,
        file_name: &str,
        before: Option<&Continuation>,
    ) -> Result<Option<Part>, ExtractError> {
        self.line().extract_part(bytes, is_last, file_name, before)
    }

    fn draw_page(&self, source: Source<'_>, file_name: &str, page: &PageQuestion) -> Result<DrawnPage, ExtractError> {
        self.request().draw_page(source, file_name, page)
    }

    fn for_requests(&self) -> Option<Box<dyn Extractor + '_>> {
        Some(Box::new(self.request()))
    }

    fn readers(&self) -> Option<ReaderCounts> {
        Some(ReaderCounts { waiting: self.gate.num_waiting(), ..self.watch.counts() })
    }

    fn weakness(&self) -> Option<String> {
        let reason = self.unconfined.get()?;
        Some(format!("files are read in processes that could open files and connections: {reason}"))
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.watch.stop();
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

    /// The memory that it has, where it may read another file.
    fn resident_if_sound(&self) -> Option<u64> {
        let id = self.process.lock().id();
        let resident = resident_bytes_of(id).unwrap_or(0);
        let is_sound = self.num_files < MAX_FILES
            && resident < MAX_RESIDENT_AFTER
            && self.said.metadata().is_ok_and(|said| said.len() < MAX_SAID_BYTES);
        is_sound.then_some(resident)
    }

    fn last_words(&mut self) -> String {
        let end = self.said.metadata().map_or(0, |said| said.len());
        let mut words = Vec::new();
        // Nothing is missing without them but a part of a reason.
        let _ = self.said.seek(SeekFrom::Start(end.saturating_sub(LAST_WORDS_BYTES)));
        let _ = (&mut self.said).take(LAST_WORDS_BYTES).read_to_end(&mut words);
        String::from_utf8_lossy(&words).into_owned()
    }

    /// Whether somebody else has ended it: it did not itself, by leaving, by a crash, or by aborting.
    #[cfg(unix)]
    fn was_killed(&self) -> bool {
        use std::os::unix::process::ExitStatusExt as _;

        use rustix::process::Signal;

        let by = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT].map(Signal::as_raw);
        let deadline = Instant::now() + DYING;
        loop {
            match self.process.lock().try_wait() {
                Ok(Some(status)) => return status.signal().is_some_and(|signal| by.contains(&signal)),
                Ok(None) if Instant::now() < deadline => {}
                // One that lives and does not talk any more has chosen to.
                Ok(None) | Err(_) => return false,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[cfg(not(unix))]
    fn was_killed(&self) -> bool {
        false
    }

    fn how_it_ended(&self) -> String {
        let mut process = self.process.lock();
        // One that lives and does not talk any more is ended.
        let _ = process.kill();
        process.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut process = self.process.lock();
        // It may have ended by itself.
        let _ = process.kill();
        let _ = process.wait();
    }
}
