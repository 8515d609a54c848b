//! What is said about steps and containers that have to share the host's network.

use sandbox::network::Unavailable;

use crate::outcome::Finding;

/// The warning of a build.
pub(crate) fn finding(reason: &Unavailable) -> Finding {
    Finding {
        rule: None,
        message: format!("RUN steps shared the network of this machine: {reason}"),
        span: None,
        focus: None,
        labels: Vec::new(),
        help: Some(advice(reason)),
    }
}

/// What the user can do, or rather have.
pub fn advice(reason: &Unavailable) -> String {
    let remedy = match reason {
        Unavailable::NoProgram => "install pasta (package passt) or slirp4netns",
        Unavailable::TunClosed { .. } => {
            "let users open /dev/net/tun (chmod 0666 /dev/net/tun; udev does that on most systems)"
        }
        Unavailable::NotForwarding { .. } => "switch it on: sysctl net.ipv4.ip_forward=1",
        Unavailable::ForwardingDropped { .. } => {
            "install pasta (package passt) or slirp4netns, which need no forwarding, or let the firewall accept \
             what comes from and goes to the interfaces builder*"
        }
        Unavailable::Setup { .. }
        | Unavailable::ProgramFailed { .. }
        | Unavailable::NoSubnet
        | Unavailable::Keeper { .. } => return OTHERWISE.to_owned(),
    };
    format!("{remedy}; {OTHERWISE}")
}

const OTHERWISE: &str = "--network=none runs without a network, --network=isolated fails instead of sharing";
