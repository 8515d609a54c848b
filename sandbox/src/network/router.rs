//! The router: the network namespace in which the keeper lives, and the networks that are connected to it.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::companion::Companion;
use super::netlink::firewall::{Action, Hook, Lifetime, Match, Rule, Table, new_table};
use super::netlink::route::{self, Link, NewLink};
use super::netlink::{Protocol, Socket};
use super::resolver::Resolver;
use super::service::Uplink;
use super::subnet::{Occupied, Subnet};
use super::unavailable::{Attempt, Unavailable};
use super::{tap, veth};
use crate::sys;

/// Names of links. Outside of their namespaces nobody sees them.
const BRIDGE: &str = "steps";
pub(crate) const UPLINK: &str = "uplink";
const OF_STEP: &str = "eth0";
/// The index of the loopback link in every namespace.
const LOOPBACK: u32 = 1;

/// What is known of the network of the machine, and sockets that stay in it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) links: Socket,
    pub(crate) firewall: Socket,
    pub(crate) routes: Vec<route::Route>,
    pub(crate) occupied: Occupied,
    /// See [`veth::open_forwarding`].
    pub(crate) forwarding: io::Result<Option<File>>,
}

impl Host {
    /// Of the network in which this process is.
    fn open() -> Result<Self, Unavailable> {
        let mut links = Socket::open(Protocol::Route).attempt("open a netlink socket")?;
        let firewall = Socket::open(Protocol::Netfilter).attempt("open a netfilter socket")?;
        let routes = links
            .dump(&route::list_routes(), route::Route::read)
            .attempt("list the routes of this machine")?;
        let servers = Resolver::of_host();
        let servers = servers.reachable().filter_map(|server| Subnet::new(server, 32));
        let occupied = Occupied::new(routes.iter().map(|route| route.subnet).chain(servers));
        Ok(Self { links, firewall, routes, occupied, forwarding: veth::open_forwarding() })
    }

    /// The address by which the machine is known to the others; none if it has no default route.
    pub(crate) fn address() -> Option<Ipv4Addr> {
        // Connecting such a socket sends nothing; it looks for a route only. (The address is one of the root name
        // servers, and so in no local network.)
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect((Ipv4Addr::new(198, 41, 0, 4), 53)).ok()?;
        match socket.local_addr().ok()?.ip() {
            std::net::IpAddr::V4(address) => Some(address),
            std::net::IpAddr::V6(_) => None,
        }
    }
}

/// How the router is connected to the machine.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The uplink, by index in the router.
    pub(crate) link: u32,
    /// Its largest packet in bytes.
    pub(crate) mtu: u32,
    /// See [`Uplink::program`].
    pub(crate) program: Option<String>,
    /// See [`Uplink::host`].
    pub(crate) host: Option<Ipv4Addr>,
}

/// The router. Dropping it, or the end of its process, ends everything that it has made.
#[derive(Debug)]
pub(crate) struct Router {
    namespace: OwnedFd,
    links: Socket,
    bridge: u32,
    mtu: u32,
    steps: Subnet,
    /// How many addresses were given away, the gateway's included.
    given: u32,
    uplink: Uplink,
    companion: Companion,
    /// Owns the table of rules in the network of the machine.
    _firewall: Socket,
}

impl Router {
    /// Makes the router, which this process enters, and connects it.
    pub(crate) fn make() -> Result<Self, Unavailable> {
        let mut host = Host::open()?;
        let machine_address = Host::address();
        let companion = Companion::start().attempt("start the companion of the network keeper")?;
        let steps = host.occupied.for_steps().ok_or(Unavailable::NoSubnet)?;
        let (namespace, mut links) = new_namespace()?;

        let connected = veth::connect(&mut host, &mut links, namespace.as_fd(), steps);
        let connection = connected.or_else(|by_kernel| {
            let place = tap::Place { namespace: namespace.as_fd(), host: machine_address, steps };
            let by_program = tap::connect(&host, &mut links, &companion, &place);
            // Who may make no links in the network of the machine has to hear what would help instead.
            by_program.map_err(|by_program| if is_forbidden(&by_kernel) { by_program } else { by_kernel })
        })?;
        let Connection { link, mtu, program, host: host_address } = connection;

        let bridge = NewLink { name: BRIDGE, mtu, bridge: None, namespace: None };
        links.execute(&[route::set_up(LOOPBACK), route::new_bridge(&bridge)]).attempt("make a bridge")?;
        let bridge = links.get(&route::get_link(BRIDGE), Link::read).attempt("find the bridge")?.index;
        let gateway = steps.host(1);
        let addressed = [
            route::new_address(bridge, gateway, steps),
            route::new_link_route(bridge, steps),
            route::forward_from(bridge),
            route::forward_from(link),
        ];
        links.execute(&addressed).attempt("set up the bridge")?;
        apply_rules(bridge, link)?;
        listen(&companion, gateway)?;

        let uplink = Uplink { program, gateway, host: host_address };
        Ok(Self {
            namespace,
            links,
            bridge,
            mtu,
            steps,
            given: 1,
            uplink,
            companion,
            _firewall: host.firewall,
        })
    }

    pub(crate) fn uplink(&self) -> &Uplink {
        &self.uplink
    }

    pub(crate) fn companion(&self) -> &Companion {
        &self.companion
    }

    /// Makes a network namespace that is connected to the router, and in which packets pass.
    pub(crate) fn new_network(&mut self) -> Result<OwnedFd, Unavailable> {
        let address = self.next_address();
        let made = new_namespace();
        move_into_link_name_space(self.namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .attempt("return to the router")?;
        let (namespace, mut inside) = made?;

        let port = format!("step{}", self.given);
        let near = NewLink { name: &port, mtu: self.mtu, bridge: Some(self.bridge), namespace: None };
        let far = NewLink { name: OF_STEP, mtu: self.mtu, bridge: None, namespace: Some(namespace.as_fd()) };
        self.links.execute(&[route::new_veth(&near, &far)]).attempt("make a veth pair")?;
        let port = self.links.get(&route::get_link(&port), Link::read).attempt("find a port")?.index;
        let link = inside.get(&route::get_link(OF_STEP), Link::read).attempt("find a link")?.index;
        let changes = Socket::of_link_changes().attempt("listen for changes of links")?;
        let addressed = [
            route::set_up(LOOPBACK),
            route::set_up(link),
            route::new_address(link, address, self.steps),
            route::new_link_route(link, self.steps),
            route::new_default_route(link, self.steps.host(1)),
        ];
        inside.execute(&addressed).attempt("set up the link of a step")?;
        self.links.execute(&[route::set_up_isolated(port)]).attempt("set up the port of a step")?;
        self.wait_until_operational(port, &changes);
        Ok(namespace)
    }

    /// An address of the steps; after the last they begin again, at the one behind the gateway's.
    fn next_address(&mut self) -> Ipv4Addr {
        self.given = self.given.wrapping_add(1);
        if self.steps.host(self.given) == self.steps.host(1) {
            self.given = self.given.wrapping_add(1);
        }
        self.steps.host(self.given)
    }

    /// Waits until a port passes packets: the kernel activates it a moment after it was set up, and what is sent
    /// before is lost, which costs whoever sent it a second.
    fn wait_until_operational(&mut self, port: u32, changes: &Socket) {
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        while let Ok(link) = self.links.get(&route::get_link_at(port), Link::read)
            && !link.is_operational
            && poll(&mut [PollFd::new(changes, PollFlags::IN)], Some(&second)).is_ok_and(|ready| ready > 0)
        {
            changes.drain();
        }
    }
}

fn is_forbidden(reason: &Unavailable) -> bool {
    matches!(reason, Unavailable::Setup { errno, .. } if *errno == libc::EPERM)
}

/// Enters a new network namespace; gives its descriptor and a socket in it.
fn new_namespace() -> Result<(OwnedFd, Socket), Unavailable> {
    sys::unshare(UnshareFlags::NEWNET).attempt("make a network namespace")?;
    let namespace = File::open("/proc/self/ns/net").attempt("open a network namespace")?;
    let links = Socket::open(Protocol::Route).attempt("open a netlink socket")?;
    Ok((namespace.into(), links))
}

/// What leaves the router has its address; what comes from steps goes to no step.
fn apply_rules(bridge: u32, uplink: u32) -> Result<(), Unavailable> {
    let table = Table { name: BRIDGE, lifetime: Lifetime::OfNamespace };
    let rules = [
        Rule {
            hook: Hook::Forward,
            matches: &[Match::From(bridge), Match::To(bridge)],
            action: Action::Drop,
        },
        Rule { hook: Hook::Leaving, matches: &[Match::To(uplink)], action: Action::Masquerade },
    ];
    let mut firewall = Socket::open(Protocol::Netfilter).attempt("open a netfilter socket")?;
    firewall.execute(&new_table(table, &rules)).attempt("make rules of nf_tables")
}

/// Has the companion answer questions about names that come to the gateway.
fn listen(companion: &Companion, gateway: Ipv4Addr) -> Result<(), Unavailable> {
    let questions = UdpSocket::bind((gateway, 53)).attempt("listen for questions about names")?;
    let connections = TcpListener::bind((gateway, 53)).attempt("listen for questions about names")?;
    companion.forward(&questions, &connections).attempt("speak to the companion of the network keeper")
}
