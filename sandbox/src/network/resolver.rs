//! The settings of name resolution, resolv.conf(5), and how they look from an isolated network.
//!
//! A name server on a loopback address of the machine (systemd-resolved, dnsmasq), or one that has an IPv6
//! address, cannot be reached from there. In its place stands the gateway, where the
//! [forwarder](super::forwarder) passes questions on.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

/// Where the settings of the machine are.
const FILE: &str = "/etc/resolv.conf";
/// The port of name servers.
const PORT: u16 = 53;

/// Name servers, search domains and options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolver {
    /// Addresses as they are written: one of IPv6 may have a `%` and an interface after it.
    pub servers: Vec<String>,
    /// Domains that are tried for names without dots.
    pub search: Vec<String>,
    /// Words of `options` lines.
    pub options: Vec<String>,
}

impl Resolver {
    /// The machine's settings. Without a name server there is the one that C libraries take then: this machine.
    pub fn of_host() -> Self {
        let text = std::fs::read(FILE).unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// Reads the text of such a file. Lines that say nothing of these three are left out.
    pub fn parse(text: &str) -> Self {
        let mut resolver = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("nameserver") => resolver.servers.extend(words.next()),
                // The last line of both counts.
                Some("search" | "domain") => resolver.search = words.collect(),
                Some("options") => resolver.options.extend(words),
                _ => {}
            }
        }
        if resolver.servers.is_empty() {
            resolver.servers.push(Ipv4Addr::LOCALHOST.to_string());
        }
        resolver
    }

    /// The same settings for a process behind a gateway that forwards questions.
    #[must_use]
    pub fn behind(mut self, gateway: Ipv4Addr) -> Self {
        let mut servers: Vec<String> = Vec::new();
        for server in self.servers {
            let server = if is_reachable(&server) { server } else { gateway.to_string() };
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        self.servers = servers;
        self
    }

    /// The text of such a file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for server in &self.servers {
            let _ = writeln!(text, "nameserver {server}");
        }
        for (keyword, words) in [("search", &self.search), ("options", &self.options)] {
            if !words.is_empty() {
                let _ = writeln!(text, "{keyword} {}", words.join(" "));
            }
        }
        text
    }

    /// The name servers that only the machine itself reaches.
    pub(crate) fn hidden(&self) -> Vec<SocketAddr> {
        let hidden = self.servers.iter().filter(|server| !is_reachable(server));
        hidden.filter_map(|server| socket_address(server)).collect()
    }

    /// The name servers that are reached by routes.
    pub(crate) fn reachable(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.servers.iter().filter(|server| is_reachable(server)).filter_map(|server| server.parse().ok())
    }
}

/// Whether an isolated process reaches a name server by itself.
fn is_reachable(server: &str) -> bool {
    let address: Result<Ipv4Addr, _> = server.parse();
    address.is_ok_and(|address| !address.is_loopback() && !address.is_unspecified())
}

fn socket_address(server: &str) -> Option<SocketAddr> {
    let Some((address, interface)) = server.split_once('%') else {
        return server.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, PORT));
    };
    let number = || std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok();
    let scope = interface.parse().ok().or_else(|| number()?.trim().parse().ok())?;
    Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 239, 0, 1);

    fn behind(text: &str) -> String {
        Resolver::parse(text).behind(GATEWAY).text()
    }

    #[test]
    fn a_server_that_can_be_reached_stays() {
        let text =
            "# made by somebody\nnameserver 10.0.0.53\nsearch example.com lan\noptions ndots:2 edns0\n";
        let expected = "nameserver 10.0.0.53\nsearch example.com lan\noptions ndots:2 edns0\n";
        assert_eq!(behind(text), expected);
        assert_eq!(Resolver::parse(text).hidden(), []);
    }

    #[test]
    fn the_gateway_stands_for_all_that_cannot() {
        let text = "nameserver 127.0.0.53\nnameserver ::1\nnameserver 10.0.0.53\nnameserver 2001:db8::1\n";
        assert_eq!(behind(text), "nameserver 10.239.0.1\nnameserver 10.0.0.53\n");
        let hidden: Vec<String> = Resolver::parse(text).hidden().iter().map(ToString::to_string).collect();
        assert_eq!(hidden, ["127.0.0.53:53", "[::1]:53", "[2001:db8::1]:53"]);
    }

    #[test]
    fn without_any_server_it_is_the_machine_itself() {
        assert_eq!(behind("options timeout:1\n"), "nameserver 10.239.0.1\noptions timeout:1\n");
        assert_eq!(Resolver::parse("").hidden(), [SocketAddr::from(([127, 0, 0, 1], 53))]);
    }

    #[test]
    fn an_address_can_be_one_of_an_interface() {
        let resolver = Resolver::parse("nameserver fe80::1%1\nnameserver nonsense\n");
        assert_eq!(resolver.hidden(), [SocketAddrV6::new("fe80::1".parse().unwrap(), 53, 0, 1).into()]);
        let by_name = Resolver::parse("nameserver fe80::1%lo\n");
        assert_eq!(by_name.hidden(), [SocketAddrV6::new("fe80::1".parse().unwrap(), 53, 0, 1).into()]);
    }

    #[test]
    fn the_last_search_line_counts() {
        assert_eq!(Resolver::parse("domain a\nsearch b c\n").search, ["b", "c"]);
    }
}
