//! Links, addresses and routes: the messages of rtnetlink(7).

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::message::{Attributes, Message, attribute, number};
use crate::network::subnet::Subnet;

const CREATE: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
const DUMP: i32 = libc::NLM_F_ROOT | libc::NLM_F_MATCH;

/// `VETH_INFO_PEER` (linux/veth.h).
const VETH_INFO_PEER: u16 = 1;
/// `IFLA_BRPORT_ISOLATED`: a port of a bridge that reaches no other isolated port.
const PORT_ISOLATED: u16 = 33;
/// `IFLA_INET_CONF`, and the setting `IPV4_DEVCONF_FORWARDING` in it (linux/ip.h).
const INET_CONF: u16 = 1;
const CONF_FORWARDING: u16 = 1;
/// `IF_OPER_UP` (linux/if.h): packets pass.
const OPER_UP: u8 = 6;

/// `struct ifinfomsg`, with the flags that are set.
fn link_head(index: u32, flags: i32) -> [u8; 16] {
    let mut head = [0; 16];
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..12].copy_from_slice(&flags.to_ne_bytes());
    head[12..16].copy_from_slice(&flags.to_ne_bytes());
    head
}

/// One end of a veth pair, or a bridge, that is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewLink<'a> {
    /// Its name; one with `%d` in it gets a free number there.
    pub(crate) name: &'a str,
    /// The largest packet, in bytes.
    pub(crate) mtu: u32,
    /// The bridge of which it is a port, by index.
    pub(crate) bridge: Option<u32>,
    /// The network namespace in which it is made; the socket's own if absent.
    pub(crate) namespace: Option<BorrowedFd<'a>>,
}

impl NewLink<'_> {
    fn attributes(&self) -> Attributes {
        let mut attributes =
            Attributes::new().text(libc::IFLA_IFNAME, self.name).number(libc::IFLA_MTU, self.mtu);
        if let Some(bridge) = self.bridge {
            attributes = attributes.number(libc::IFLA_MASTER, bridge);
        }
        if let Some(namespace) = self.namespace {
            let descriptor = namespace.as_raw_fd().cast_unsigned();
            attributes = attributes.number(libc::IFLA_NET_NS_FD, descriptor);
        }
        attributes
    }
}

/// Makes a bridge, which is up.
pub(crate) fn new_bridge(bridge: &NewLink<'_>) -> Message {
    let kind = Attributes::new().text(libc::IFLA_INFO_KIND, "bridge");
    let attributes = bridge.attributes().nested(libc::IFLA_LINKINFO, &kind);
    Message::new(libc::RTM_NEWLINK, CREATE, &link_head(0, libc::IFF_UP), attributes)
}

/// Makes a veth pair; neither end is up.
pub(crate) fn new_veth(near: &NewLink<'_>, far: &NewLink<'_>) -> Message {
    let peer = Attributes::new().nested_after(VETH_INFO_PEER, &link_head(0, 0), &far.attributes());
    let info = Attributes::new().text(libc::IFLA_INFO_KIND, "veth").nested(libc::IFLA_INFO_DATA, &peer);
    let attributes = near.attributes().nested(libc::IFLA_LINKINFO, &info);
    Message::new(libc::RTM_NEWLINK, CREATE, &link_head(0, 0), attributes)
}

/// Sets a link up.
pub(crate) fn set_up(index: u32) -> Message {
    Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK, &link_head(index, libc::IFF_UP), Attributes::new())
}

/// Removes a link, and with one end of a pair the other.
pub(crate) fn delete(index: u32) -> Message {
    Message::new(libc::RTM_DELLINK, libc::NLM_F_ACK, &link_head(index, 0), Attributes::new())
}

/// Sets a link up, with this largest packet.
pub(crate) fn set_up_with_mtu(index: u32, mtu: u32) -> Message {
    let attributes = Attributes::new().number(libc::IFLA_MTU, mtu);
    Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK, &link_head(index, libc::IFF_UP), attributes)
}

/// Sets a port of a bridge up, and keeps it from all other such ports.
pub(crate) fn set_up_isolated(index: u32) -> Message {
    let port = Attributes::new().bytes(PORT_ISOLATED, &[1]);
    let info = Attributes::new()
        .text(libc::IFLA_INFO_SLAVE_KIND, "bridge")
        .nested(libc::IFLA_INFO_SLAVE_DATA, &port);
    let attributes = Attributes::new().nested(libc::IFLA_LINKINFO, &info);
    Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK, &link_head(index, libc::IFF_UP), attributes)
}

/// Has the kernel forward the packets that a link receives. (The file of this setting may be read-only.)
pub(crate) fn forward_from(index: u32) -> Message {
    let settings = Attributes::new().number(CONF_FORWARDING, 1);
    let family = u16::try_from(libc::AF_INET).unwrap_or_default();
    let of_family = Attributes::new().nested(family, &Attributes::new().nested(INET_CONF, &settings));
    let attributes = Attributes::new().nested(libc::IFLA_AF_SPEC, &of_family);
    Message::new(libc::RTM_SETLINK, libc::NLM_F_ACK, &link_head(index, 0), attributes)
}

/// Asks for a link by name; [`Link::read`] reads the answer.
pub(crate) fn get_link(name: &str) -> Message {
    let attributes = Attributes::new().text(libc::IFLA_IFNAME, name);
    Message::new(libc::RTM_GETLINK, 0, &link_head(0, 0), attributes)
}

/// Asks for a link by index; [`Link::read`] reads the answer.
pub(crate) fn get_link_at(index: u32) -> Message {
    Message::new(libc::RTM_GETLINK, 0, &link_head(index, 0), Attributes::new())
}

/// A link, as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number in its namespace.
    pub(crate) index: u32,
    /// The largest packet, in bytes.
    pub(crate) mtu: u32,
    /// The number of the other end, in that one's namespace, if it is an end of a pair.
    pub(crate) other_end: Option<u32>,
    /// Whether it passes packets.
    pub(crate) is_operational: bool,
}

impl Link {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let (head, attributes) = body.split_at_checked(16)?;
        Some(Self {
            index: number(head.get(4..)?)?,
            mtu: attribute(attributes, libc::IFLA_MTU).and_then(number)?,
            other_end: attribute(attributes, libc::IFLA_LINK).and_then(number),
            is_operational: attribute(attributes, libc::IFLA_OPERSTATE) == Some(&[OPER_UP]),
        })
    }
}

/// Gives a link an address in a subnet. The subnet gets no route by that.
pub(crate) fn new_address(link: u32, address: Ipv4Addr, subnet: Subnet) -> Message {
    // `struct ifaddrmsg`: family, prefix length, flags, scope, link.
    let mut head = [0; 8];
    head[0] = u8::try_from(libc::AF_INET).unwrap_or_default();
    head[1] = subnet.prefix();
    head[4..8].copy_from_slice(&link.to_ne_bytes());
    let attributes = Attributes::new()
        .bytes(libc::IFA_LOCAL, &address.octets())
        .bytes(libc::IFA_ADDRESS, &address.octets())
        .number(libc::IFA_FLAGS, libc::IFA_F_NOPREFIXROUTE);
    Message::new(libc::RTM_NEWADDR, CREATE, &head, attributes)
}

/// `struct rtmsg` of a route of the main table.
fn route_head(prefix: u8, scope: u8) -> [u8; 12] {
    let family = u8::try_from(libc::AF_INET).unwrap_or_default();
    let (table, protocol) = (libc::RT_TABLE_MAIN, libc::RTPROT_STATIC);
    [family, prefix, 0, 0, table, protocol, scope, libc::RTN_UNICAST, 0, 0, 0, 0]
}

/// Makes the route to a subnet that a link leads to. Refused with `EEXIST` if there is a route to this very
/// subnet.
pub(crate) fn new_link_route(link: u32, subnet: Subnet) -> Message {
    let attributes =
        Attributes::new().bytes(libc::RTA_DST, &subnet.first().octets()).number(libc::RTA_OIF, link);
    Message::new(libc::RTM_NEWROUTE, CREATE, &route_head(subnet.prefix(), libc::RT_SCOPE_LINK), attributes)
}

/// Makes the route for all that has none of its own.
pub(crate) fn new_default_route(link: u32, gateway: Ipv4Addr) -> Message {
    let attributes =
        Attributes::new().bytes(libc::RTA_GATEWAY, &gateway.octets()).number(libc::RTA_OIF, link);
    Message::new(libc::RTM_NEWROUTE, CREATE, &route_head(0, libc::RT_SCOPE_UNIVERSE), attributes)
}

/// Asks for the routes of all tables; [`Route::read`] reads them.
pub(crate) fn list_routes() -> Message {
    Message::new(libc::RTM_GETROUTE, DUMP, &route_head(0, libc::RT_SCOPE_UNIVERSE), Attributes::new())
}

/// A route of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// Where it leads; everywhere for the default route.
    pub(crate) subnet: Subnet,
    /// The link, unless it has several or none.
    pub(crate) link: Option<u32>,
}

impl Route {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let (head, attributes) = body.split_at_checked(12)?;
        let octets: [u8; 4] = match attribute(attributes, libc::RTA_DST) {
            Some(destination) => destination.try_into().ok()?,
            None => [0; 4],
        };
        let subnet = Subnet::new(octets.into(), *head.get(1)?)?;
        Some(Self { subnet, link: attribute(attributes, libc::RTA_OIF).and_then(number) })
    }
}
