//! What keeps a child from anything but reading its input and writing its output.

use std::fs::File;
use std::io;

/// Address space that a child may have beyond its memory: allocators reserve more than they use.
const RESERVED_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Standard input and output, for requests and answers alone: whatever a reader prints goes to standard error from now on.
///
/// # Errors
/// When they are closed.
#[cfg(unix)]
pub(super) fn channels() -> io::Result<(File, File)> {
    let input = rustix::io::dup(rustix::stdio::stdin())?;
    let output = rustix::io::dup(rustix::stdio::stdout())?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok((input.into(), output.into()))
}

/// Confines this process for good, and lets it end with its parent.
///
/// On Linux its address space is limited, and the kernel refuses every call but those for memory, time and what is already open: no
/// file, no network, no other process. Returns why that filter is not there, where the system has none: the limits on time and
/// memory hold without it.
///
/// # Errors
/// When the system refuses the other limits; such a child reads nothing.
#[cfg(target_os = "linux")]
pub(super) fn confine(memory_bytes: u64) -> io::Result<Option<String>> {
    use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

    set_parent_process_death_signal(Some(Signal::KILL))?;
    let most = memory_bytes.saturating_add(RESERVED_BYTES);
    setrlimit(Resource::As, Rlimit { current: Some(most), maximum: Some(most) })?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(allow_only_what_is_open().err().map(|error| format!("the system refuses a filter of system calls: {error}")))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn confine(_: u64) -> io::Result<Option<String>> {
    Ok(Some("the filter of system calls exists on Linux alone".to_owned()))
}

#[cfg(all(target_os = "linux", not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn allow_only_what_is_open() -> io::Result<()> {
    Err(io::Error::other("there is none for this processor"))
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn allow_only_what_is_open() -> io::Result<()> {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    };

    let refused = |error: seccompiler::BackendError| io::Error::other(error);
    // A process ends itself by a signal when it aborts, and may send one to no other.
    let itself = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, u64::from(std::process::id()))
        .map_err(refused)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|&number| (number, Vec::new())).collect();
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![itself]).map_err(refused)?]);
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into().map_err(refused)?;
    let filter = SeccompFilter::new(rules, refusal, SeccompAction::Allow, arch).map_err(refused)?;
    let program: BpfProgram = filter.try_into().map_err(refused)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// The calls that a child may make. What is not here is refused with `EPERM`, which readers take as any other error.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
const ALLOWED: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_ppoll,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_membarrier,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getcpu,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];
