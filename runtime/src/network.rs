//! The network of a process: what is asked for, and what can be had.

use std::net::{IpAddr, Ipv4Addr};

use sandbox::network::{Unavailable, Uplink};
use sandbox::{Network, Networks};

/// Which network a process is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkChoice {
    /// One of its own with outgoing access; where that cannot be had, the host's, which is told.
    #[default]
    IsolatedOrHost,
    /// One of its own with outgoing access, or it does not run.
    Isolated,
    /// The host's own.
    Host,
    /// A loopback interface only.
    None,
}

/// The network that a process gets.
#[derive(Clone, Debug)]
pub struct Connected {
    /// For the sandbox.
    pub network: Network,
    /// How it is connected, if it is the process's own.
    pub uplink: Option<Uplink>,
    /// Why it is the host's although one of its own was asked for.
    pub shared: Option<Unavailable>,
}

impl Connected {
    /// Takes a network from `networks` where the choice needs one. Blocks.
    pub fn new(networks: &Networks, choice: NetworkChoice) -> Result<Self, Unavailable> {
        let plain = |network| Self { network, uplink: None, shared: None };
        match choice {
            NetworkChoice::Host => Ok(plain(Network::Host)),
            NetworkChoice::None => Ok(plain(Network::None)),
            NetworkChoice::Isolated | NetworkChoice::IsolatedOrHost => match networks.isolated() {
                Ok(isolated) => {
                    let network = Network::Isolated(isolated.namespace);
                    Ok(Self { network, uplink: Some(isolated.uplink), shared: None })
                }
                Err(reason) if choice == NetworkChoice::Isolated => Err(reason),
                Err(reason) => Ok(Self { shared: Some(reason), ..plain(Network::Host) }),
            },
        }
    }

    /// The address by which the process reaches the host, which `host-gateway` stands for.
    pub(crate) fn host(&self) -> IpAddr {
        match &self.uplink {
            Some(uplink) => uplink.host.unwrap_or(uplink.gateway).into(),
            None => Ipv4Addr::LOCALHOST.into(),
        }
    }
}
