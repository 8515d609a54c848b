//! What the user can do about a step that failed: one line for each way in which processes and programs fail.

use engine::{Ending, Exit, Fault, Obstacle, OutOfMemory, describe_signal};

/// About a process that ended.
pub(crate) fn on_ending(ending: &Ending) -> Vec<String> {
    let mut advice = Vec::new();
    match ending.out_of_memory {
        Some(OutOfMemory::Limit { .. }) => advice.push("--memory sets a higher limit".to_owned()),
        Some(OutOfMemory::Surroundings) => {
            let where_it_is = "the container or service that the builder runs in has a limit of its own";
            advice.push(format!("{where_it_is}: raise that one"));
        }
        Some(OutOfMemory::Machine) => {
            advice.push("--memory limits a step, so that only that one fails".to_owned());
        }
        None => {}
    }
    if ending.process_limit.is_some() {
        advice.push("--pids-limit sets a higher limit".to_owned());
    }
    if !advice.is_empty() {
        return advice;
    }
    // A shell tells of the signal that its command was killed by, and has no better way than an exit code.
    match ending.exit {
        Exit::Code(127) => {
            advice.push("127 is what a shell exits with when it does not find a command".to_owned());
        }
        Exit::Code(126) => {
            advice.push("126 is what a shell exits with when it cannot execute a file".to_owned());
        }
        Exit::Code(137) | Exit::Signal(9) => {
            let what = "137 stands for SIGKILL; the kernel tells of no lack of memory";
            advice.push(format!("{what}, so some other process has sent it"));
        }
        Exit::Code(code) if code > 128 => {
            if let Some((name, meaning)) = describe_signal(i32::from(code) - 128) {
                advice.push(format!(
                    "{code} is what a shell exits with when its command was killed by {name} ({meaning})"
                ));
            }
        }
        Exit::Code(_) | Exit::Signal(_) => {}
    }
    advice
}

/// About devices that the build does not allow.
pub(crate) fn on_devices(names: &[String]) -> String {
    let flags: Vec<String> = names.iter().map(|name| format!("--allow device={name}")).collect();
    format!("{} permits it", flags.join(" "))
}

/// About a program that did not run.
pub(crate) fn on_fault(fault: &Fault) -> String {
    match fault {
        Fault::NoShell { shell } => format!(
            "the image has no {shell}, which runs the shell form of RUN: name a program, as in \
             RUN [\"/program\", \"argument\"], or use a base image with a shell"
        ),
        Fault::NotFound { command } if command.contains('/') => {
            format!("the image has no file {command}: it may have to be copied, or lie elsewhere")
        }
        Fault::NotFound { command } => {
            format!("the image has no command {command}: install its package, or look at PATH")
        }
        Fault::WindowsLineEnds { script } => format!(
            "the lines of {script} end as on Windows, with CR LF: dos2unix changes them, and a line \
             \"*.sh text eol=lf\" in .gitattributes keeps git from it"
        ),
        Fault::MissingInterpreter { script, interpreter } => {
            format!("{script} is a script for {interpreter}, which the image does not have")
        }
        Fault::MissingLoader { program, loader } => {
            let library = if loader.contains("musl") { "musl (Alpine)" } else { "glibc" };
            format!(
                "{program} is linked with {library} and needs {loader}, which the image lacks: use a base image \
                 with that library, or link the program statically"
            )
        }
        Fault::Foreign { program, machine } => {
            format!("{program} is made for {machine}: is it of the right platform?")
        }
        Fault::NoInterpreterLine { script } => {
            format!("{script} is a text: the first line of a script says what runs it, as in #!/bin/sh")
        }
        Fault::NotExecutable { path } => {
            format!("{path} may not be executed: COPY --chmod=755 or chmod +x allows it")
        }
    }
}

/// About a limit that cannot be set.
pub(crate) fn on_limit(obstacle: &Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Denied { .. } => {
            "limits are for root, and for users to whom a cgroup of version 2 is delegated: \
             systemd-run --user --scope --property=Delegate=yes builder …"
        }
        Obstacle::HasProcesses { .. } => {
            "--cgroup-parent names another one; in a container, its processes can be moved into a child of that \
             cgroup first"
        }
        _ => "without the flag, steps have the limits of the builder itself",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(exit: Exit) -> Ending {
        Ending { exit, out_of_memory: None, process_limit: None }
    }

    #[test]
    fn exit_codes_of_shells_are_explained() {
        let first = |code| on_ending(&ending(Exit::Code(code))).concat();
        insta::assert_snapshot!(first(127), @"127 is what a shell exits with when it does not find a command");
        insta::assert_snapshot!(first(139), @"139 is what a shell exits with when its command was killed by SIGSEGV (segmentation fault)");
        assert_eq!([first(1), first(250)], ["", ""]);
        assert!(on_ending(&ending(Exit::Signal(11))).is_empty(), "the error says it already");
    }

    #[test]
    fn limits_that_were_reached_can_be_raised() {
        let limit = Some(OutOfMemory::Limit { bytes: 1 << 20 });
        let ending = Ending { out_of_memory: limit, process_limit: Some(9), ..ending(Exit::Code(137)) };
        assert_eq!(on_ending(&ending), ["--memory sets a higher limit", "--pids-limit sets a higher limit"]);
    }
}
