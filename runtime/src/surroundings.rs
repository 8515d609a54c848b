//! The files that tell a process about names: `/etc/hosts`, `/etc/resolv.conf`, `/etc/hostname`.
//!
//! They are shown to the process as files in memory and never reach a layer, so they may hold what
//! belongs to this run only: the addresses of `--add-host`, the host's name servers.

use std::fmt::Write as _;
use std::net::IpAddr;

use image::ImagePath;
use sandbox::MountKind;

/// A name that is added to `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
}

/// The files for one process: of root, in memory, readable by everybody.
pub fn files(hostname: &str, extra: &[ExtraHost]) -> [(ImagePath, MountKind); 3] {
    [
        ("/etc/hosts", hosts(hostname, extra)),
        ("/etc/resolv.conf", host_resolv_conf()),
        ("/etc/hostname", format!("{hostname}\n")),
    ]
    .map(|(path, text)| {
        let content = text.into_bytes();
        (ImagePath::new(path), MountKind::File { content, mode: 0o644, uid: 0, gid: 0 })
    })
}

/// The host's own `/etc/resolv.conf`; empty if it has none.
///
/// Name servers on loopback addresses are kept: processes share the host's network.
fn host_resolv_conf() -> String {
    std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default()
}

/// The text of `/etc/hosts`, with the lines that BuildKit writes.
fn hosts(hostname: &str, extra: &[ExtraHost]) -> String {
    let mut text = format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for host in extra {
        let _ = writeln!(text, "{}\t{}", host.address, host.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_name_the_machine_itself_and_the_extra_hosts() {
        let extra = [ExtraHost { name: "special.example".to_owned(), address: [10, 1, 2, 3].into() }];
        assert_eq!(
            hosts("buildkitsandbox", &extra),
            "127.0.0.1\tlocalhost buildkitsandbox\n\
             ::1\tlocalhost ip6-localhost ip6-loopback\n\
             10.1.2.3\tspecial.example\n"
        );
    }
}
