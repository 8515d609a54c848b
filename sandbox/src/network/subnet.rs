//! Which addresses are free: subnets that overlap nothing that the machine reaches otherwise.
//!
//! The subnet of the steps is seen by nobody outside of the router, so that all builders of a machine may use
//! the same one. That of a link to the machine must be the only one there: its first free candidate is claimed by
//! a route, and whoever comes second takes the next.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// Addresses with a common beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subnet {
    first: u32,
    prefix: u8,
}

impl Subnet {
    /// The subnet of an address with a prefix of so many bits; none if there are more than an address has.
    pub(crate) fn new(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        (prefix <= 32).then(|| Self { first: address.to_bits() & mask(prefix), prefix })
    }

    /// The address that all hosts of the subnet have in common.
    pub(crate) fn first(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first)
    }

    /// The length of the common beginning in bits.
    pub(crate) fn prefix(self) -> u8 {
        self.prefix
    }

    /// The address of this number; beyond the last host they begin again at 1.
    pub(crate) fn host(self, number: u32) -> Ipv4Addr {
        // The lowest address is the subnet itself, and the highest is for everybody.
        let hosts = (!mask(self.prefix)).saturating_sub(1).max(1);
        Ipv4Addr::from_bits(self.first + 1 + number.wrapping_sub(1) % hosts)
    }

    /// Whether some address is in both.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        let common = mask(self.prefix.min(other.prefix));
        (self.first ^ other.first) & common == 0
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.prefix)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

/// Routes to more than this are no reason to avoid an address: besides the default route there are the halves of
/// all addresses by which tunnels replace it.
const SHORTEST_PREFIX: u8 = 8;

/// What must not be overlapped: the routes of the machine, and its name servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Occupied(Vec<Subnet>);

impl Occupied {
    pub(crate) fn new(routes: impl IntoIterator<Item = Subnet>) -> Self {
        Self(routes.into_iter().filter(|subnet| subnet.prefix >= SHORTEST_PREFIX).collect())
    }

    fn leaves_free(&self, subnet: Subnet) -> bool {
        !self.0.iter().any(|occupied| occupied.overlaps(subnet))
    }

    /// A subnet for steps: 65 533 of them, and the gateway.
    pub(crate) fn for_steps(&self) -> Option<Subnet> {
        let private = (200..240).rev().map(|second| [10, second]);
        let private = private.chain((16..32).rev().map(|second| [172, second])).chain([[192, 168]]);
        // Reserved for measurements between two networks (RFC 2544), and so used by few.
        let mut candidates =
            private.chain([[198, 18]]).filter_map(|[a, b]| Subnet::new([a, b, 0, 0].into(), 16));
        candidates.find(|subnet| self.leaves_free(*subnet))
    }

    /// A subnet for a program that connects the router; the machine sees nothing of it.
    pub(crate) fn for_program(&self, steps: Subnet) -> Option<Subnet> {
        let candidates = self.for_link(steps, 0).step_by(1 << 6);
        let mut wider = candidates.filter_map(|subnet| Subnet::new(subnet.first(), 24));
        wider.find(|subnet| !subnet.overlaps(steps) && self.leaves_free(*subnet))
    }

    /// Subnets of two hosts, for a link. Those that do not overlap `steps`, beginning with another one for every
    /// `seed`.
    pub(crate) fn for_link(&self, steps: Subnet, seed: u32) -> impl Iterator<Item = Subnet> {
        let pools = [[10, 199], [172, 31], [192, 168], [198, 19]];
        let pools = pools.into_iter().filter_map(|[a, b]| Subnet::new([a, b, 0, 0].into(), 16));
        pools
            .flat_map(move |pool| {
                let blocks = 1 << 14;
                let block = move |number: u32| {
                    Subnet::new(pool.host((number.wrapping_add(seed) % blocks) * 4 + 1), 30)
                };
                (0..blocks).filter_map(block)
            })
            .filter(move |subnet| !subnet.overlaps(steps) && self.leaves_free(*subnet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        let (address, prefix) = text.split_once('/').unwrap();
        Subnet::new(address.parse().unwrap(), prefix.parse().unwrap()).unwrap()
    }

    fn occupied(texts: &[&str]) -> Occupied {
        Occupied::new(texts.iter().map(|text| subnet(text)))
    }

    #[test]
    fn hosts_are_counted_from_one_and_never_reach_the_ends() {
        let small = subnet("10.1.2.7/30");
        assert_eq!(small.to_string(), "10.1.2.4/30");
        assert_eq!([1, 2, 3].map(|number| small.host(number).octets()[3]), [5, 6, 5]);
        let large = subnet("10.1.0.0/16");
        assert_eq!(large.host(65_534), Ipv4Addr::new(10, 1, 255, 254));
        assert_eq!(large.host(65_535), Ipv4Addr::new(10, 1, 0, 1));
        assert_eq!(Subnet::new(Ipv4Addr::LOCALHOST, 33), None);
    }

    #[test]
    fn overlapping_is_mutual() {
        for (one, other, overlaps) in [
            ("10.0.0.0/8", "10.200.0.0/16", true),
            ("10.200.0.0/16", "10.201.0.0/16", false),
            ("0.0.0.0/0", "10.0.0.0/8", true),
            ("10.1.2.3/32", "10.1.2.3/32", true),
        ] {
            assert_eq!(subnet(one).overlaps(subnet(other)), overlaps, "{one} {other}");
            assert_eq!(subnet(other).overlaps(subnet(one)), overlaps, "{one} {other}");
        }
    }

    #[test]
    fn what_the_machine_reaches_otherwise_is_avoided() {
        let steps = |routes: &[&str]| occupied(routes).for_steps().map(|subnet| subnet.to_string());
        assert_eq!(steps(&[]).as_deref(), Some("10.239.0.0/16"));
        assert_eq!(steps(&["10.239.7.0/24", "10.238.0.1/32"]).as_deref(), Some("10.237.0.0/16"));
        assert_eq!(steps(&["10.0.0.0/8"]).as_deref(), Some("172.31.0.0/16"));
        assert_eq!(steps(&["10.0.0.0/8", "172.16.0.0/12"]).as_deref(), Some("192.168.0.0/16"));
        // A default route in halves is one all the same.
        assert_eq!(steps(&["0.0.0.0/1", "128.0.0.0/1"]).as_deref(), Some("10.239.0.0/16"));
        assert_eq!(steps(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15"]), None);
    }

    #[test]
    fn links_begin_at_different_places_and_skip_what_is_taken() {
        let free = occupied(&["10.199.0.0/30", "10.199.0.8/30"]);
        let steps = free.for_steps().unwrap();
        let first =
            |seed| free.for_link(steps, seed).take(2).map(|subnet| subnet.to_string()).collect::<Vec<_>>();
        assert_eq!(first(0), ["10.199.0.4/30", "10.199.0.12/30"]);
        assert_eq!(first(5), ["10.199.0.20/30", "10.199.0.24/30"]);
        assert_eq!(first(16_383), ["10.199.255.252/30", "10.199.0.4/30"]);
        let none = occupied(&["10.0.0.0/8", "172.16.0.0/12"]);
        let steps = none.for_steps().unwrap();
        assert_eq!(none.for_link(steps, 0).next().unwrap().to_string(), "198.19.0.0/30");
    }
}
