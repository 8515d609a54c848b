//! [`Attached`]: a process in the surroundings of a step, on the user's own streams or terminal.
//!
//! It gets what a step gets, mounts and user included, on a draft that is thrown away in the end.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use graph::Exec;
use sandbox::{Exit, Killer, Running, Stdio};
use store::Snapshot;

use crate::blocking::blocking;
use crate::exec::error::ExecError;
use crate::exec::{Needed, Prepared, network};
use crate::output::Output;
use crate::session::Session;

/// A running process. Dropping it kills all that it started and deletes what they wrote.
#[derive(Debug)]
pub struct Attached {
    command: String,
    running: Running,
    // After `running`: the processes end before their file system and their agents go.
    _prepared: Prepared,
    _session: Session,
}

impl Attached {
    /// Waits until the process ends; all that it started is gone then too.
    pub fn wait(&mut self) -> Result<Exit, ExecError> {
        self.running.wait().map_err(|source| ExecError::Sandbox { command: self.command.clone(), source })
    }

    /// A handle to send signals to the process from elsewhere.
    pub fn killer(&self) -> Killer {
        self.running.killer()
    }

    /// The other end of the process's terminal, once, if it has one.
    pub fn terminal(&mut self) -> Option<OwnedFd> {
        self.running.terminal()
    }
}

impl Session {
    /// Starts a process as the step would, on `base`: the tree that it was run on, or what it made of that.
    /// `inputs` are the trees of the step. With a terminal of its own, the process does not use `stdio`.
    ///
    /// Waits while others have caches that the step needs to itself.
    pub async fn attach(
        &self,
        exec: &Exec,
        base: Snapshot,
        inputs: Vec<Output>,
        terminal: bool,
        stdio: &Stdio,
    ) -> Result<Attached, ExecError> {
        let snapshotter = self.executor.snapshotter();
        let network = network::connect(self, exec).await?;
        let devices = super::devices::find(self, exec).await?.edits;
        let (session, exec) = (self.clone(), exec.clone());
        let command = exec.args.join(" ");
        let needed = Arc::new(Needed { session, exec, base, inputs, network, devices });
        loop {
            let view = snapshotter.view();
            let mut prepared = super::prepare_when_possible(&needed, view).await?;
            prepared.spec.process.terminal = terminal;
            let failed = |source| ExecError::Sandbox { command: command.clone(), source };
            match self.start(prepared, command.clone(), stdio.try_clone().map_err(failed)?).await {
                Err(ExecError::Sandbox { source, .. }) if snapshotter.falls_back(view, &source) => {}
                attached => return attached,
            }
        }
    }

    async fn start(&self, prepared: Prepared, command: String, stdio: Stdio) -> Result<Attached, ExecError> {
        let session = self.clone();
        blocking(move || match session.executor.shared.sandbox.spawn(&prepared.spec, stdio) {
            Ok(running) => Ok(Attached { command, running, _prepared: prepared, _session: session }),
            Err(source) => Err(ExecError::Sandbox { command, source }),
        })
        .await
    }
}
