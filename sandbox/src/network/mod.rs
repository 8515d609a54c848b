//! The network of a process: a namespace of its own with outgoing access, and how it is made in advance.
//!
//! One **keeper process** holds all networks of a builder. It is this program, started again when the first
//! network is asked for, with one thread, and it is spoken to over a socket: "a network, please", "here is the
//! descriptor of its namespace".
//!
//! ```text
//!   network namespace of a step      router namespace (keeper)               network of the machine
//!  ┌───────────────────────────┐    ┌───────────────────────────────────┐    ┌──────────────────────────────┐
//!  │ lo   eth0 10.239.0.2/16 ──┼────┼─ port ┐                           │    │                              │
//!  └───────────────────────────┘    │       ├ bridge 10.239.0.1         │    │ root:                        │
//!  ┌───────────────────────────┐    │       │   │ forwards              │    │  builder0 10.199.0.1/30      │
//!  │ lo   eth0 10.239.0.3/16 ──┼────┼─ port ┘   └ masquerades ─ uplink ─┼────┼─  │ forwards, masquerades   │
//!  └───────────────────────────┘    │             10.199.0.2            │    │ anybody:                     │
//!    one per step, one ahead        │ port 53: name server ─ ─ ─ ─ ─ ─ ─┼─ ─ ┼─ pasta or slirp4netns        │
//!                                   └───────────────────────────────────┘    │  forwarder ─ its name server │
//!                                                                            └──────────────────────────────┘
//! ```
//! - Every step has a namespace of its own and shares no port and no abstract socket with anybody. Steps do not
//!   reach each other: their ports are isolated, and the router drops what comes from steps and goes to steps.
//! - The router is connected to the machine by a veth pair, for root ([`veth`]), or by a program that carries
//!   packets as ordinary connections of its user ([`tap`]). The loopback addresses of the machine, and with them
//!   what listens there only, are reached by neither.
//! - A [`companion`] of the keeper stays in the network of the machine, which the keeper leaves: it passes on
//!   questions about names to servers that only the machine reaches ([`forwarder`]), and runs the program.
//! - Addresses are chosen so that they overlap no route of the machine and none of its name servers
//!   ([`subnet`]).
//!
//! **Nothing is left behind, whoever is killed**, since everything hangs on descriptors that the kernel closes:
//!
//! | what | ends with |
//! |---|---|
//! | the keeper | its socket to the builder |
//! | the companion, and the program with it | the keeper (parent's death signal; it is pid 1 of a namespace) |
//! | the router, its links, its rules, its end of each pair | the keeper, whose network namespace it is |
//! | the machine's end of the uplink, its address and route | the other end |
//! | the machine's table of rules | the keeper's socket, which owns it (`NFT_TABLE_F_OWNER`, Linux 5.12) |
//! | the network of a step | the last process in it |
//!
//! One setting of the machine is changed and stays so: `net.ipv4.ip_forward` is switched on where it is off, for
//! the uplink of root. There is IPv4 only.
//!
//! Files: [`service`] is the builder's side, [`keeper`] the process, [`router`] what it makes.

mod companion;
mod forwarder;
mod keeper;
mod netlink;
mod resolver;
mod router;
mod service;
mod subnet;
mod tap;
mod unavailable;
mod veth;

pub(crate) use keeper::{ARGUMENT, serve};
pub use resolver::Resolver;
pub use service::{Isolated, NetworkNamespace, Networks, Uplink};
pub use unavailable::Unavailable;
