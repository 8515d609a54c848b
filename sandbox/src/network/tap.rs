//! The uplink of an ordinary user: a program that makes a link in the router, and carries what comes there as
//! connections of its own.
//!
//! pasta comes first, which is faster; slirp4netns does where it is missing or fails. Neither may open a way to
//! the loopback addresses of the machine, which both do unless they are told not to.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::companion::{Companion, Heard};
use super::netlink::Socket;
use super::netlink::route::{self, Link};
use super::router::{Connection, Host, UPLINK};
use super::subnet::Subnet;
use super::unavailable::{Attempt, Unavailable};

/// The largest packet of both programs: they copy packets, and large ones are fewer.
const MTU: u32 = 65_520;
/// How long a program may take to make its link. One that fails may linger and say nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where programs are looked for.
const DIRECTORIES: [&str; 5] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin"];

/// A program that carries packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Pasta,
    Slirp4netns,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Pasta => "pasta",
            Self::Slirp4netns => "slirp4netns",
        }
    }

    fn find(self) -> Option<PathBuf> {
        DIRECTORIES.iter().map(|directory| Path::new(directory).join(self.name())).find(|path| path.is_file())
    }

    /// The arguments with which it makes the uplink in the network namespace at `namespace`, and nothing else.
    fn arguments(self, namespace: &str, subnet: Subnet) -> Vec<String> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        match self {
            Self::Pasta => {
                let (own, gateway, prefix) = (address(subnet), gateway(subnet), subnet.prefix());
                words(&format!(
                    // As root it would else become another user, who may not enter the namespace.
                    "--foreground --quiet --stderr --runas 0 --netns-only --netns {namespace} \
                     --ns-ifname {UPLINK} --ipv4-only --mtu {MTU} --address {own} --netmask {prefix} \
                     --gateway {gateway} --no-map-gw --tcp-ports none --udp-ports none --tcp-ns none \
                     --udp-ns none --no-dhcp --no-dhcpv6 --no-ndp --no-ra"
                ))
            }
            Self::Slirp4netns => words(&format!(
                "--mtu={MTU} --cidr={subnet} --disable-host-loopback --disable-dns --netns-type=path \
                 {namespace} {UPLINK}"
            )),
        }
    }
}

/// slirp4netns gives its guest a fixed number, and its gateway another.
fn address(subnet: Subnet) -> Ipv4Addr {
    subnet.host(100)
}

fn gateway(subnet: Subnet) -> Ipv4Addr {
    subnet.host(2)
}

/// A program that the companion is to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    kind: Kind,
    /// Its path.
    pub(crate) program: String,
    subnet: Subnet,
}

impl Order {
    /// The arguments, with the path at which the companion shows the router's namespace.
    pub(crate) fn arguments(&self, namespace: &str) -> Vec<String> {
        self.kind.arguments(namespace, self.subnet)
    }
}

/// Where the program connects what.
pub(crate) struct Place<'a> {
    /// The router's.
    pub(crate) namespace: BorrowedFd<'a>,
    /// An address of the machine.
    pub(crate) host: Option<Ipv4Addr>,
    /// The subnet of the steps.
    pub(crate) steps: Subnet,
}

/// Connects the router, in which this process is.
pub(crate) fn connect(
    host: &Host,
    router: &mut Socket,
    companion: &Companion,
    place: &Place<'_>,
) -> Result<Connection, Unavailable> {
    let subnet = host.occupied.for_program(place.steps).ok_or(Unavailable::NoSubnet)?;
    let programs = [Kind::Pasta, Kind::Slirp4netns].map(|kind| Some((kind, kind.find()?)));
    let mut failure = Unavailable::NoProgram;
    for (kind, path) in programs.into_iter().flatten() {
        File::options().read(true).write(true).open("/dev/net/tun").map_err(|error| tun_closed(&error))?;
        let program = path.display().to_string();
        let order = Order { kind, program: program.clone(), subnet };
        match run(router, companion, &order, place.namespace) {
            Ok(link) => return set_up(router, link, subnet, program, place.host),
            Err(reason) => failure = reason,
        }
    }
    Err(failure)
}

fn tun_closed(error: &std::io::Error) -> Unavailable {
    Unavailable::TunClosed { errno: error.raw_os_error().unwrap_or(libc::EIO) }
}

/// Has the companion run the program, and waits until its link is there.
fn run(
    router: &mut Socket,
    companion: &Companion,
    order: &Order,
    namespace: BorrowedFd<'_>,
) -> Result<u32, Unavailable> {
    let changes = Socket::of_link_changes().attempt("listen for changes of links")?;
    companion.run(order, namespace).attempt("speak to the companion of the network keeper")?;
    let until = Instant::now() + PATIENCE;
    loop {
        match router.get(&route::get_link(UPLINK), Link::read) {
            Ok(link) => return Ok(link.index),
            Err(Errno::NODEV) => {}
            Err(errno) => return Err(Unavailable::setup("find the uplink", errno)),
        }
        let mut sources = [PollFd::new(&changes, PollFlags::IN), PollFd::new(companion, PollFlags::IN)];
        let left = until.saturating_duration_since(Instant::now());
        match poll(&mut sources, Timespec::try_from(left).ok().as_ref()) {
            Err(Errno::INTR) => continue,
            Ok(0) => {
                let message = "its link did not appear".to_owned();
                return Err(Unavailable::ProgramFailed { program: order.program.clone(), message });
            }
            result => result.attempt("wait for the uplink")?,
        };
        if !sources[1].revents().is_empty() {
            let Heard::ProgramEnded { message } =
                companion.hear().attempt("hear from the companion of the network keeper")?;
            return Err(Unavailable::ProgramFailed { program: order.program.clone(), message });
        }
        changes.drain();
    }
}

fn set_up(
    router: &mut Socket,
    link: u32,
    subnet: Subnet,
    program: String,
    host: Option<Ipv4Addr>,
) -> Result<Connection, Unavailable> {
    let messages = [
        route::set_up_with_mtu(link, MTU),
        route::new_address(link, address(subnet), subnet),
        route::new_link_route(link, subnet),
        route::new_default_route(link, gateway(subnet)),
    ];
    router.execute(&messages).attempt("set up the uplink")?;
    Ok(Connection { link, mtu: MTU, program: Some(program), host })
}
