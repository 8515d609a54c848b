//! The files that tell a process about names: `/etc/hosts`, `/etc/resolv.conf`, `/etc/hostname`.
//!
//! They are shown to the process as files in memory and never reach a layer, so they may hold what
//! belongs to this run only: the addresses of `--add-host`, the host's name servers.

use std::fmt::Write as _;
use std::net::IpAddr;

use image::ImagePath;
use sandbox::MountKind;
use sandbox::network::Resolver;
use serde::{Deserialize, Serialize};

use crate::network::Connected;

/// What a process is told of names, beside what the host knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Lines for `/etc/hosts`.
    pub extra_hosts: Vec<ExtraHost>,
    /// `--dns`: name servers instead of the host's.
    pub servers: Vec<IpAddr>,
    /// `--dns-search`: search domains instead of the host's. A single `.` stands for none.
    pub search: Vec<String>,
    /// `--dns-option`: options instead of the host's.
    pub options: Vec<String>,
}

/// A name that is added to `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// Its address.
    pub address: HostAddress,
}

/// The address of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostAddress {
    /// This one.
    Address(IpAddr),
    /// That by which the process reaches the host: `host-gateway`.
    Host,
}

/// The files for one process: of root, in memory, readable by everybody.
pub fn files(hostname: &str, names: &Names, connected: &Connected) -> [(ImagePath, MountKind); 3] {
    [
        ("/etc/hosts", hosts(hostname, &names.extra_hosts, connected.host())),
        ("/etc/resolv.conf", resolv_conf(names, connected)),
        ("/etc/hostname", format!("{hostname}\n")),
    ]
    .map(|(path, text)| {
        let content = text.into_bytes();
        (ImagePath::new(path), MountKind::File { content, mode: 0o644, uid: 0, gid: 0 })
    })
}

/// The host's own settings, as they are where the process shares its network, and with what is replaced.
fn resolv_conf(names: &Names, connected: &Connected) -> String {
    let Names { servers, search, options, .. } = names;
    let is_replaced = !(servers.is_empty() && search.is_empty() && options.is_empty());
    if connected.uplink.is_none() && !is_replaced {
        return std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    }
    let mut resolver = Resolver::of_host();
    if let Some(uplink) = &connected.uplink {
        resolver = resolver.behind(uplink.gateway);
    }
    replace(resolver, names).text()
}

fn replace(mut resolver: Resolver, names: &Names) -> Resolver {
    if !names.servers.is_empty() {
        resolver.servers = names.servers.iter().map(ToString::to_string).collect();
    }
    match names.search.as_slice() {
        [] => {}
        [none] if none == "." => resolver.search.clear(),
        domains => resolver.search = domains.to_vec(),
    }
    if !names.options.is_empty() {
        resolver.options.clone_from(&names.options);
    }
    resolver
}

/// The text of `/etc/hosts`, with the lines that BuildKit writes.
fn hosts(hostname: &str, extra: &[ExtraHost], host: IpAddr) -> String {
    let mut text = format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for extra in extra {
        let address = match extra.address {
            HostAddress::Address(address) => address,
            HostAddress::Host => host,
        };
        let _ = writeln!(text, "{address}\t{}", extra.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_name_the_machine_itself_and_the_extra_hosts() {
        let extra = |name: &str, address| ExtraHost { name: name.to_owned(), address };
        let extra = [
            extra("special.example", HostAddress::Address([10, 1, 2, 3].into())),
            extra("host.example", HostAddress::Host),
        ];
        assert_eq!(
            hosts("buildkitsandbox", &extra, [10, 199, 0, 1].into()),
            "127.0.0.1\tlocalhost buildkitsandbox\n\
             ::1\tlocalhost ip6-localhost ip6-loopback\n\
             10.1.2.3\tspecial.example\n\
             10.199.0.1\thost.example\n"
        );
    }

    #[test]
    fn each_setting_of_name_resolution_is_replaced_by_itself() {
        let host = "nameserver 10.0.0.53\nsearch lan\noptions edns0\n";
        let text = |names: &Names| replace(Resolver::parse(host), names).text();
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        assert_eq!(text(&Names::default()), host);
        let names = Names { servers: vec![[1, 1, 1, 1].into()], search: words(&["."]), ..Names::default() };
        assert_eq!(text(&names), "nameserver 1.1.1.1\noptions edns0\n");
        let names =
            Names { search: words(&["a", "b"]), options: words(&["ndots:2", "rotate"]), ..Names::default() };
        assert_eq!(text(&names), "nameserver 10.0.0.53\nsearch a b\noptions ndots:2 rotate\n");
    }
}
