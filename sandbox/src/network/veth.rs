//! The uplink of root: a veth pair from the router to the machine, which forwards and masquerades.

use std::fs::{self, File};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use rustix::io::Errno;

use super::netlink::Socket;
use super::netlink::firewall::{Action, Chain, Hook, Lifetime, Match, Rule, Table, list_chains, new_table};
use super::netlink::route::{self, Link, NewLink};
use super::router::{Connection, Host, UPLINK};
use super::subnet::Subnet;
use super::unavailable::{Attempt, Unavailable};

/// The name of the machine's end, with a number that is free.
const NAME: &str = "builder%d";
/// The largest packet where the machine has no default route.
const USUAL_MTU: u32 = 1500;
/// How many subnets are tried: as many as others may claim at the same time.
const MOST_CLAIMS: usize = 1000;
/// Whether the machine forwards packets.
const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

/// Connects the router. What a failure leaves goes with the router's namespace.
pub(crate) fn connect(
    host: &mut Host,
    router: &mut Socket,
    namespace: BorrowedFd<'_>,
    steps: Subnet,
) -> Result<Connection, Unavailable> {
    refuse_dropping_firewall(&mut host.firewall)?;
    let mtu = mtu(host);
    let near = NewLink { name: NAME, mtu, bridge: None, namespace: None };
    let far = NewLink { name: UPLINK, mtu, bridge: None, namespace: Some(namespace) };
    host.links.execute(&[route::new_veth(&near, &far)]).attempt("make a veth pair")?;
    let uplink = router.get(&route::get_link(UPLINK), Link::read).attempt("find the uplink")?;
    let connected = set_up(host, router, &uplink, steps);
    if connected.is_err() {
        // Another uplink may take its name.
        let _ = router.execute(&[route::delete(uplink.index)]);
    }
    connected
}

fn set_up(
    host: &mut Host,
    router: &mut Socket,
    uplink: &Link,
    steps: Subnet,
) -> Result<Connection, Unavailable> {
    let near = uplink.other_end.ok_or(Errno::NODEV).attempt("find the other end of the uplink")?;
    host.links.execute(&[route::set_up(near)]).attempt("set up the uplink")?;
    let subnet = claim(host, near, steps)?;
    let (machine, own) = (subnet.host(1), subnet.host(2));
    host.links.execute(&[route::new_address(near, machine, subnet)]).attempt("set up the uplink")?;
    let addressed = [
        route::set_up(uplink.index),
        route::new_address(uplink.index, own, subnet),
        route::new_link_route(uplink.index, subnet),
        route::new_default_route(uplink.index, machine),
    ];
    router.execute(&addressed).attempt("set up the uplink")?;
    switch_on_forwarding(&host.forwarding)?;
    let table = format!("builder-{near}");
    let table = Table { name: &table, lifetime: Lifetime::OfSocket };
    let rule = Rule { hook: Hook::Leaving, matches: &[Match::Source(own)], action: Action::Masquerade };
    host.firewall.execute(&new_table(table, &[rule])).attempt("make rules of nf_tables")?;
    Ok(Connection { link: uplink.index, mtu: uplink.mtu, program: None, host: Some(machine) })
}

/// Takes a subnet for the link: the route to it can be made only once, so that whoever makes it has the subnet.
fn claim(host: &mut Host, link: u32, steps: Subnet) -> Result<Subnet, Unavailable> {
    // Others begin elsewhere, and rarely meet.
    let seed = std::process::id().wrapping_mul(7);
    for subnet in host.occupied.for_link(steps, seed).take(MOST_CLAIMS) {
        match host.links.execute(&[route::new_link_route(link, subnet)]) {
            Err(Errno::EXIST) => {}
            result => return result.attempt("make a route").map(|()| subnet),
        }
    }
    Err(Unavailable::NoSubnet)
}

/// The largest packet that the machine's default route takes: a larger one would only be refused on the way.
fn mtu(host: &mut Host) -> u32 {
    let default = host.routes.iter().find(|route| route.subnet.prefix() == 0).and_then(|route| route.link);
    let link = default.and_then(|link| host.links.get(&route::get_link_at(link), Link::read).ok());
    link.map_or(USUAL_MTU, |link| link.mtu)
}

/// A chain that drops forwarded packets cannot be overruled by another table, so nothing would ever arrive.
/// (Docker makes such a chain; rules of the older iptables are not seen here.)
fn refuse_dropping_firewall(firewall: &mut Socket) -> Result<(), Unavailable> {
    for list in list_chains() {
        let chains = firewall.dump(&list, Chain::read).attempt("list the rules of nf_tables")?;
        if let Some(chain) = chains.into_iter().find(|chain| chain.drops_forwarded) {
            return Err(Unavailable::ForwardingDropped { chain: chain.name });
        }
    }
    Ok(())
}

/// The setting of the machine, if it has to be switched on. The file is that of the network in which it was opened,
/// whoever writes to it.
pub(crate) fn open_forwarding() -> io::Result<Option<File>> {
    if fs::read(FORWARDING)?.trim_ascii() == b"1" {
        return Ok(None);
    }
    File::options().write(true).open(FORWARDING).map(Some)
}

fn switch_on_forwarding(setting: &io::Result<Option<File>>) -> Result<(), Unavailable> {
    let switched = match setting {
        Ok(None) => return Ok(()),
        Ok(Some(setting)) => setting.write_all_at(b"1", 0).map_err(|error| error.raw_os_error()),
        Err(error) => Err(error.raw_os_error()),
    };
    switched.map_err(|errno| Unavailable::NotForwarding { errno: errno.unwrap_or(libc::EIO) })
}
