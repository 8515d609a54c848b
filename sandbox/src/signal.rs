//! Signals by name, for people.

/// The name of a signal and what it is sent for, as in signal(7); none for numbers without a name.
pub fn describe(number: i32) -> Option<(&'static str, &'static str)> {
    Some(match number {
        libc::SIGHUP => ("SIGHUP", "hangup"),
        libc::SIGINT => ("SIGINT", "interrupt"),
        libc::SIGQUIT => ("SIGQUIT", "quit"),
        libc::SIGILL => ("SIGILL", "illegal instruction"),
        libc::SIGTRAP => ("SIGTRAP", "trace or breakpoint trap"),
        libc::SIGABRT => ("SIGABRT", "aborted by itself"),
        libc::SIGBUS => ("SIGBUS", "bus error"),
        libc::SIGFPE => ("SIGFPE", "erroneous arithmetic operation"),
        libc::SIGKILL => ("SIGKILL", "killed"),
        libc::SIGUSR1 => ("SIGUSR1", "user-defined signal 1"),
        libc::SIGSEGV => ("SIGSEGV", "segmentation fault"),
        libc::SIGUSR2 => ("SIGUSR2", "user-defined signal 2"),
        libc::SIGPIPE => ("SIGPIPE", "broken pipe"),
        libc::SIGALRM => ("SIGALRM", "alarm clock"),
        libc::SIGTERM => ("SIGTERM", "terminated"),
        libc::SIGXCPU => ("SIGXCPU", "limit of processor time exceeded"),
        libc::SIGXFSZ => ("SIGXFSZ", "limit of file size exceeded"),
        libc::SIGVTALRM => ("SIGVTALRM", "virtual alarm clock"),
        libc::SIGPROF => ("SIGPROF", "profiling timer expired"),
        libc::SIGSYS => ("SIGSYS", "bad system call"),
        _ => return None,
    })
}
