//! The network of a step: which one it is to have, and what is told if it cannot be had.

use graph::exec::{Exec, NetworkMode};
use runtime::network::{Connected, NetworkChoice};

use crate::blocking::blocking;
use crate::exec::error::ExecError;
use crate::session::{DefaultNetwork, Session};

/// Takes the network of a step.
pub(super) async fn connect(session: &Session, exec: &Exec) -> Result<Connected, ExecError> {
    let choice = match (exec.network, session.options.network) {
        (NetworkMode::None, _) => NetworkChoice::None,
        (NetworkMode::Host, _) => NetworkChoice::Host,
        (NetworkMode::Default, DefaultNetwork::IsolatedOrHost) => NetworkChoice::IsolatedOrHost,
        (NetworkMode::Default, DefaultNetwork::Isolated) => NetworkChoice::Isolated,
    };
    let networks = session.executor.shared.networks.clone();
    blocking(move || Connected::new(&networks, choice)).await.map_err(ExecError::Network)
}

/// Tells that a step has to share the host's network: the first one of a build does.
pub(super) fn tell(session: &Session, connected: &Connected, log: &solver::StepLog) {
    if let Some(reason) = &connected.shared
        && session.shares_network.set(reason.clone()).is_ok()
    {
        log.warn(format!("RUN steps share the network of this machine: {reason}"));
    }
}
