//! `RUN [flags] COMMAND`

use std::fmt::Write as _;

use graph::exec::{DeviceRequest, Mount, MountKind, NetworkMode, SecurityMode};
use graph::{Edge, Exec, Op};
use image::ImagePath;
use parser::Span;
use parser::ast::{CommandLine, Device, Network, Run, RunCommand, Security};
use parser::heredoc::Heredoc;

use super::Lowering;
use super::mount::Mounts;
use crate::error::Fault;
use crate::lint::{crlf_script, heredoc_without_errexit, malformed_json_form};
use crate::options::Entitlement;
use crate::stages::Origin;

/// Where the file of `RUN <<EOF` with `#!` is.
const SCRIPT_DIRECTORY: &str = "/dev/pipes";

impl Lowering<'_, '_> {
    pub(super) fn run(&mut self, run: &Run, origins: &[Option<Origin>]) -> Result<(), Fault> {
        self.check_command(run);
        let network = self.network(run.network)?;
        let security = self.security(run.security)?;
        let mut mounts = self.mounts(&run.mounts, origins)?;
        let args = self.process_arguments(&run.command, &mut mounts);
        if args.is_empty() {
            return Err(Fault::NoCommand);
        }
        let label = self.run_label(run, &mounts);
        let history = self.run_history(&args);
        if mounts.is_incomplete {
            return Ok(());
        }
        let environment = &self.state.environment;
        let mut env: Vec<_> =
            environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if let Some(socket) = mounts.agent_socket
            && environment.get("SSH_AUTH_SOCK").is_none()
        {
            env.push(("SSH_AUTH_SOCK".to_owned(), socket.into()));
        }
        let exec = Exec {
            args,
            env,
            cwd: self.state.directory(),
            user: self.state.user().map(str::to_owned),
            platform: self.stage.platform.clone(),
            hostname: self.planner.options.hostname().to_owned(),
            network,
            security,
            mounts: mounts.list,
            secret_env: mounts.secret_variables,
            extra_hosts: self.planner.options.extra_hosts.clone(),
            ulimits: self.planner.options.ulimits.clone(),
            cgroup_parent: self.planner.options.cgroup_parent.clone(),
            devices: run.devices.iter().map(device).collect(),
        };
        let mut inputs = vec![Edge::definition(self.state.rootfs)];
        inputs.append(&mut mounts.inputs);
        let vertex = self.add_vertex(Op::Exec(Box::new(exec)), inputs);
        self.advance(vertex, label);
        self.state.record_layer(history);
        Ok(())
    }

    fn check_command(&mut self, run: &Run) {
        let spans: Vec<Span> = run.heredocs.iter().map(|heredoc| self.span_of(heredoc)).collect();
        let (linter, shell) = (&mut self.planner.linter, &self.state.config.config.shell);
        if let RunCommand::Line(line) = &run.command {
            malformed_json_form::check(linter, &self.current.keyword, line, self.current.span);
        }
        for (heredoc, span) in run.heredocs.iter().zip(spans) {
            heredoc_without_errexit::check(linter, run, shell, span);
            crlf_script::check_command(linter, heredoc, span);
        }
    }

    fn network(&self, asked: Network) -> Result<NetworkMode, Fault> {
        let mode = match asked {
            Network::Default => self.planner.options.network,
            Network::None => NetworkMode::None,
            Network::Host => NetworkMode::Host,
        };
        match mode {
            NetworkMode::Host => self.allowed(Entitlement::NetworkHost).map(|()| mode),
            NetworkMode::Default | NetworkMode::None => Ok(mode),
        }
    }

    fn security(&self, asked: Security) -> Result<SecurityMode, Fault> {
        match asked {
            Security::Sandbox => Ok(SecurityMode::Sandbox),
            Security::Insecure => {
                self.allowed(Entitlement::SecurityInsecure).map(|()| SecurityMode::Insecure)
            }
        }
    }

    fn allowed(&self, entitlement: Entitlement) -> Result<(), Fault> {
        if self.planner.options.allowed.contains(&entitlement) {
            Ok(())
        } else {
            Err(Fault::NotAllowed(entitlement))
        }
    }

    /// What is executed. A here-document that is a program of its own is mounted as a file; like
    /// any other shell form it is run by the shell of the stage.
    fn process_arguments(&self, command: &RunCommand, mounts: &mut Mounts) -> Vec<String> {
        match command {
            RunCommand::Line(CommandLine::Exec(args)) => args.clone(),
            RunCommand::Line(CommandLine::Shell(text)) => self.state.with_shell(text),
            RunCommand::File { name, content } => {
                let target = ImagePath::new(SCRIPT_DIRECTORY).join(name);
                let args = self.state.with_shell(target.as_str());
                let kind = MountKind::Script { content: content.clone() };
                mounts.list.push(Mount { target, kind });
                args
            }
        }
    }

    /// The instruction with its variables replaced; those that are secrets show as asterisks, and a
    /// here-document as its first line.
    fn run_label(&mut self, run: &Run, mounts: &Mounts) -> String {
        let mut text = self.current.text.clone();
        let stands_alone = |heredoc: &Heredoc| match &run.command {
            RunCommand::File { .. } => true,
            RunCommand::Line(CommandLine::Shell(script)) => *script == heredoc.text(),
            RunCommand::Line(CommandLine::Exec(_)) => false,
        };
        if let Some(heredoc) = run.heredocs.first()
            && stands_alone(heredoc)
        {
            let mut lines = heredoc.content.trim().lines();
            let first = lines.next().unwrap_or_default();
            let more = if lines.next().is_some() { "..." } else { "" };
            let _ = write!(text, " ({first}{more})");
        }
        if mounts.secret_variables.is_empty() {
            return self.shell_label(&text);
        }
        let visible = self.state.environment.clone();
        for variable in &mounts.secret_variables {
            self.state.environment.set(variable.name.as_str(), "****");
        }
        let label = self.shell_label(&text);
        self.state.environment = visible;
        label
    }

    /// `RUN |2 A=1 B=2 /bin/sh -c make # buildkit`: the arguments that the stage declared, then the
    /// command.
    fn run_history(&self, args: &[String]) -> String {
        let arguments: Vec<String> =
            self.state.argument_values().map(|(name, value)| format!("{name}={value}")).collect();
        let mut words = vec!["RUN".to_owned()];
        if !arguments.is_empty() {
            words.push(format!("|{}", arguments.len()));
            words.extend(arguments);
        }
        words.extend(args.iter().cloned());
        words.push("# buildkit".to_owned());
        words.join(" ")
    }
}

fn device(device: &Device) -> DeviceRequest {
    DeviceRequest { name: device.name.clone(), required: device.required }
}
