//! The commands for locks.

use std::fmt;
use std::io::{self, Write};
use std::process::{Child, Command, ExitStatus};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::commands::{Done, Session};
use super::plain::plain;
use super::remote::{RemoteError, random_share};
use super::target::Target;
use crate::engine::{Access, EngineError, NewLock, Released};
use crate::workspace::{Lock, LockMode, MAX_LOCK_WAIT_MS, RelPath};

/// The variable that holds the token of a lock: of `lock extend` and `lock release`, and for a command of `lock run`.
const TOKEN: &str = "PINCITE_LOCK_TOKEN";
/// The variable that holds the fence of the lock, for a command of `lock run`.
const FENCE: &str = "PINCITE_LOCK_FENCE";
/// The bound of the first pause between two tries for a lock; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The bound does not grow beyond this.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How often `lock run` looks whether its command has ended.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Subcommand)]
pub(super) enum LockCommand {
    /// Take a lock on a file, or on all files that match a glob; its token is shown this once
    Take(TakeArgs),
    /// List the locks that are held, the oldest first
    List,
    /// Prolong a lock from now on
    Extend {
        /// The token of the lock. Other users of this machine can see a command line: prefer the variable
        #[arg(env = TOKEN, hide_env_values = true)]
        token: Token,
        /// For how many seconds, 10 to 3600 [default: as long as before]
        #[arg(long, value_name = "SECONDS")]
        ttl_s: Option<u32>,
    },
    /// Release a lock; one that is over or released before is released as well
    Release {
        /// The token of the lock. Other users of this machine can see a command line: prefer the variable
        #[arg(env = TOKEN, hide_env_values = true, required_unless_present = "force")]
        token: Option<Token>,
        /// Take the lock of this id from its holder instead: needs `admin`, and the audit tells of it
        #[arg(long, value_name = "ID", conflicts_with = "token")]
        force: Option<String>,
    },
    /// Run a command while a lock is held, which is extended and then released; the command finds its token in the variable
    /// `PINCITE_LOCK_TOKEN`
    Run {
        #[command(flatten)]
        lock: TakeArgs,
        /// The command, after `--`
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct TakeArgs {
    /// The file, whether or not it is there
    #[arg(required_unless_present = "glob", conflicts_with = "glob")]
    path: Option<RelPath>,
    /// Lock all files whose paths match (`*.md`, `runs/**`)
    #[arg(long, value_name = "GLOB")]
    glob: Option<String>,
    /// Let others hold one, too, and nobody write
    #[arg(long)]
    shared: bool,
    /// For how many seconds it holds unless it is extended, 10 to 3600 [default: 60]
    #[arg(long, value_name = "SECONDS")]
    ttl_s: Option<u32>,
    /// How many seconds to wait for it where others hold it
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait_s: u32,
    /// What it is for; others who ask for it are told
    #[arg(long)]
    reason: Option<String>,
}

impl TakeArgs {
    fn request(&self, wait_ms: u64) -> NewLock {
        let Self { path, glob, shared, ttl_s, reason, .. } = self;
        NewLock {
            path: path.clone(),
            glob: glob.clone(),
            mode: if *shared { LockMode::Shared } else { LockMode::Exclusive },
            ttl_s: *ttl_s,
            wait_ms,
            reason: reason.clone(),
            ticket: None,
        }
    }
}

/// `pincite lock`.
pub(super) fn run(session: &Session, command: &LockCommand) -> anyhow::Result<Done> {
    match command {
        LockCommand::Take(args) => {
            let lock = take(session, &session.target(Access::Share, "pincite lock take")?, args)?;
            session.print(&lock, |out| {
                writeln!(out, "{}", lock.token.as_deref().unwrap_or_default())?;
                line(out, &lock)?;
                writeln!(
                    out,
                    "Extend it every {} s with `pincite lock extend`. A write gives the token.",
                    lock.heartbeat_every_s
                )
            })?;
        }
        LockCommand::List => {
            let list = session.target(Access::Read, "pincite lock list")?.locks(&session.workspace)?;
            session.print(&list, |out| list.locks.iter().try_for_each(|lock| line(out, lock)))?;
            return Ok(Done::when(!list.locks.is_empty()));
        }
        LockCommand::Extend { token: Token { id, text }, ttl_s } => {
            let target = session.target(Access::Share, "pincite lock extend")?;
            let lock = target.extend_lock(&session.workspace, (id, text), *ttl_s)?;
            session.print(&lock, |out| line(out, &lock))?;
        }
        LockCommand::Release { force: Some(id), .. } => {
            let target = session.target(Access::Share, "pincite lock release")?;
            print_released(session, &target.break_lock(&session.workspace, id)?)?;
        }
        LockCommand::Release { token, force: None } => {
            // The command line demands one of the two.
            let Some(Token { id, text }) = token else { return Ok(Done::when(false)) };
            let target = session.target(Access::Share, "pincite lock release")?;
            print_released(session, &target.release_lock(&session.workspace, (id, text))?)?;
        }
        LockCommand::Run { lock, command } => {
            let target = session.target(Access::Share, "pincite lock run")?;
            let lock = take(session, &target, lock)?;
            return run_under(session, &target, &lock, command);
        }
    }
    Ok(Done::Yes)
}

/// The token of a lock, `lck_ID_…`, with the id that stands in it. No error shows it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token {
    id: String,
    text: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = text.strip_prefix("lck_").and_then(|rest| rest.split_once('_')).map(|(id, _)| id);
        let id = id.filter(|id| !id.is_empty()).ok_or("`pincite lock take` prints the token of a lock: `lck_ID_…`")?;
        Ok(Self { id: id.to_owned(), text: text.to_owned() })
    }
}

/// Takes a lock. Who waits stands in line for as long as one request may, and then asks again after a pause: a random time between 0 and
/// a bound that doubles (exponential backoff with full jitter).
fn take(session: &Session, target: &Target<'_>, args: &TakeArgs) -> anyhow::Result<Lock> {
    let end = Instant::now() + Duration::from_secs(args.wait_s.into());
    let mut bound = FIRST_PAUSE;
    loop {
        let left_ms = u64::try_from(end.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u64::MAX);
        let error = match target.take_lock(&session.workspace, &args.request(left_ms.min(MAX_LOCK_WAIT_MS))) {
            Ok(lock) => return Ok(lock),
            Err(error) => error,
        };
        let left = end.saturating_duration_since(Instant::now());
        let passes = matches!(error.downcast_ref(), Some(EngineError::Locked(_)))
            || error.downcast_ref::<RemoteError>().is_some_and(|error| error.is_locked() || error.is_passing());
        if !passes || left.is_zero() {
            return Err(error);
        }
        std::thread::sleep(bound.mul_f64(random_share()).min(left));
        bound = (bound * 2).min(LONGEST_PAUSE);
    }
}

/// Runs a command while a lock is held. Its exit code is the command's, and 1 where the lock was lost meanwhile.
fn run_under(session: &Session, target: &Target<'_>, lock: &Lock, command: &[String]) -> anyhow::Result<Done> {
    let token = lock.token.clone().unwrap_or_default();
    let (program, arguments) = command.split_first().context("no command was given")?;
    let release = || target.release_lock(&session.workspace, (&lock.lock_id, &token));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended: anyhow::Result<(ExitStatus, bool)> = runtime.block_on(async {
        // Before the command is there: from now on a signal ends it, and not us.
        let mut stop = Stop::listen()?;
        let mut command = Command::new(program);
        command.args(arguments).env(TOKEN, &token).env(FENCE, lock.fence.to_string());
        let mut child = command.spawn().with_context(|| format!("`{program}` cannot be run"))?;
        let mut lease = Lease::of(lock);
        let mut is_lost = false;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok((status, is_lost));
            }
            if !is_lost && lease.is_due() {
                is_lost = !lease.extend(session, target, (&lock.lock_id, &token));
                if is_lost {
                    tell_to_end(&mut child);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOKS_EVERY) => {}
                () = stop.told() => tell_to_end(&mut child),
            }
        }
    });
    let released = release();
    let (status, is_lost) = ended?;
    if !is_lost {
        released?;
    }
    Ok(if is_lost { Done::NothingFound } else { Done::Ended(code_of(status)) })
}

/// The lease of a lock that is extended.
struct Lease {
    heartbeat: Duration,
    extends_at: Instant,
    ends_at: Instant,
    ttl: Duration,
}

impl Lease {
    fn of(lock: &Lock) -> Self {
        let (now, heartbeat) = (Instant::now(), Duration::from_secs(lock.heartbeat_every_s.into()));
        let ttl_s = lock.expires_at.as_second() - lock.taken_at.as_second();
        let ttl = Duration::from_secs(ttl_s.max(0).unsigned_abs());
        Self { heartbeat, extends_at: now + heartbeat, ends_at: now + ttl, ttl }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.extends_at
    }

    /// Extends the lock, and returns whether it is still held, as far as anybody knows.
    fn extend(&mut self, session: &Session, target: &Target<'_>, lock: (&str, &str)) -> bool {
        let asked_at = Instant::now();
        let Err(error) = target.extend_lock(&session.workspace, lock, None) else {
            (self.extends_at, self.ends_at) = (asked_at + self.heartbeat, asked_at + self.ttl);
            return true;
        };
        let is_gone = matches!(error.downcast_ref(), Some(EngineError::LockLost { .. }))
            || error.downcast_ref::<RemoteError>().is_some_and(RemoteError::is_gone);
        let is_held = !is_gone && Instant::now() < self.ends_at;
        let note =
            if is_held { "the lock is not extended" } else { "the lock is lost, and the command is told to end" };
        // Where nobody reads notes, it goes on all the same.
        let _ = writeln!(io::stderr(), "{}", plain(&format!("note: {note}: {error:#}")));
        self.extends_at = asked_at + self.heartbeat / 3;
        is_held
    }
}

/// Signals that tell us to end.
struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    #[cfg(unix)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for a signal that the command does not get by itself: a terminal interrupts both.
    #[cfg(unix)]
    async fn told(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => return,
            }
        }
    }

    #[cfg(not(unix))]
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn told(&mut self) {
        std::future::pending().await
    }
}

#[cfg(unix)]
fn tell_to_end(child: &mut Child) {
    if let Some(id) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // One that has ended is waited for next.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn tell_to_end(child: &mut Child) {
    let _ = child.kill();
}

/// The exit code of a command, as shells give it: 128 and the number of the signal that has ended it.
fn code_of(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| signal + 128);
    #[cfg(not(unix))]
    let by_signal = None;
    status.code().or(by_signal).and_then(|code| u8::try_from(code & 0xff).ok()).unwrap_or(1)
}

fn print_released(session: &Session, released: &Released) -> anyhow::Result<()> {
    session.print(released, |out| {
        let id = &released.lock_id;
        if released.was_held { writeln!(out, "{id} is released") } else { writeln!(out, "{id} was not held") }
    })
}

fn line(out: &mut dyn Write, lock: &Lock) -> io::Result<()> {
    let mode = match lock.mode {
        LockMode::Exclusive => "exclusive",
        LockMode::Shared => "shared",
    };
    let covered = lock.path.as_ref().or(lock.glob.as_ref()).map_or("", String::as_str);
    write!(
        out,
        "{}  {covered}  {mode} by {} until {:.0}  fence {}",
        lock.lock_id, lock.holder, lock.expires_at, lock.fence
    )?;
    match &lock.reason {
        Some(reason) => writeln!(out, "  {reason}"),
        None => writeln!(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_lock_and_what_is_none_is_refused() {
        let token: Token = "lck_4fJk9QzLa0_secret".parse().unwrap();
        assert_eq!((token.id.as_str(), format!("{token:?}").as_str()), ("4fJk9QzLa0", "Token(4fJk9QzLa0)"));
        for other in ["", "lck_", "lck__x", "token", "lck_only"] {
            assert!(other.parse::<Token>().is_err(), "{other}");
        }
    }
}
