//! `EXPOSE PORT[-PORT][/PROTOCOL] …`

use std::net::IpAddr;

use parser::ast::Expose;

use super::Lowering;
use crate::error::Fault;
use crate::go_text;
use crate::lint::{expose_invalid_format, expose_proto_casing};

/// A text that is no port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// There is nothing before the slash.
    #[error("invalid port: {0:?}: no port specified")]
    Missing(String),
    /// The protocol is none of `tcp`, `udp` and `sctp`.
    #[error("invalid port: {port:?}: invalid proto: {protocol}")]
    Protocol {
        /// The whole argument.
        port: String,
        /// The protocol.
        protocol: String,
    },
    /// The address before the ports is none.
    #[error("invalid IP address: {0}")]
    Address(String),
    /// No number up to 65535, and no range of such numbers.
    #[error("invalid containerPort: {0}")]
    ContainerPort(String),
    /// The same for the port of the host.
    #[error("invalid hostPort: {0}")]
    HostPort(String),
    /// Ranges of different lengths.
    #[error("invalid ranges specified for container and host Ports: {0} and {1}")]
    Ranges(String, String),
}

impl Lowering<'_, '_> {
    pub(super) fn expose(&mut self, expose: &Expose) -> Result<(), Fault> {
        // They are sorted as they are written, before variables are replaced, as by BuildKit.
        let mut words: Vec<_> = expose.ports.iter().collect();
        words.sort_by(|a, b| a.as_written().cmp(b.as_written()));
        let mut ports = Vec::new();
        for word in words {
            let environment = &self.state.environment;
            for argument in word.expand_words(|name| environment.get(name).map(str::to_owned))? {
                ports.extend(self.ports_of(&argument)?);
            }
        }
        self.state.record(format!("EXPOSE {}", go_text::list(&ports)));
        self.state.config.config.exposed_ports.extend(ports);
        Ok(())
    }

    fn ports_of(&mut self, argument: &str) -> Result<Vec<String>, Fault> {
        let parsed = PortSpec::parse(argument)?;
        let (linter, span) = (&mut self.planner.linter, self.current.span);
        expose_proto_casing::check(linter, argument, parsed.protocol, span);
        if parsed.address.is_some() || parsed.host.is_some() {
            expose_invalid_format::check(linter, argument, span);
        }
        Ok(parsed.ports()?)
    }
}

/// `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`
#[derive(Debug)]
struct PortSpec<'t> {
    address: Option<&'t str>,
    host: Option<&'t str>,
    container: &'t str,
    protocol: &'t str,
}

impl<'t> PortSpec<'t> {
    fn parse(argument: &'t str) -> Result<Self, PortError> {
        let (before, container) = match argument.rsplit_once(':') {
            Some((before, container)) => (Some(before), container),
            None => (None, argument),
        };
        let (address, host) = match before.map(|before| before.rsplit_once(':').ok_or(before)) {
            Some(Ok((address, host))) => (Some(address), Some(host)),
            Some(Err(host)) => (None, Some(host)),
            None => (None, None),
        };
        let given = |text: Option<&'t str>| text.filter(|text| !text.is_empty());
        let (container, protocol) = container.split_once('/').unwrap_or((container, ""));
        if container.is_empty() {
            return Err(PortError::Missing(argument.to_owned()));
        }
        let protocol = if protocol.is_empty() { "tcp" } else { protocol };
        if !["tcp", "udp", "sctp"].contains(&protocol.to_lowercase().as_str()) {
            return Err(PortError::Protocol { port: argument.to_owned(), protocol: protocol.to_owned() });
        }
        Ok(Self { address: given(address), host: given(host), container, protocol })
    }

    fn ports(&self) -> Result<Vec<String>, PortError> {
        if let Some(address) = self.address {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
            bare.parse::<IpAddr>().map_err(|_| PortError::Address(address.to_owned()))?;
        }
        let (first, last) =
            range(self.container).ok_or_else(|| PortError::ContainerPort(self.container.to_owned()))?;
        if let Some(host) = self.host {
            let (first_host, last_host) = range(host).ok_or_else(|| PortError::HostPort(host.to_owned()))?;
            if first != last && last - first != last_host - first_host {
                return Err(PortError::Ranges(self.container.to_owned(), host.to_owned()));
            }
        }
        let protocol = self.protocol.to_lowercase();
        Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(argument: &str) -> Result<Vec<String>, String> {
        PortSpec::parse(argument).and_then(|spec| spec.ports()).map_err(|error| error.to_string())
    }

    #[test]
    fn ranges_are_enumerated() {
        assert_eq!(ports("80").unwrap(), ["80/tcp"]);
        assert_eq!(ports("53/UDP").unwrap(), ["53/udp"]);
        assert_eq!(ports("8000-8002/sctp").unwrap(), ["8000/sctp", "8001/sctp", "8002/sctp"]);
        assert_eq!(ports("127.0.0.1:80:90").unwrap(), ["90/tcp"]);
        assert_eq!(ports("[::1]::90").unwrap(), ["90/tcp"]);
        assert_eq!(ports("9000-9001:80").unwrap(), ["80/tcp"]);
    }

    #[test]
    fn other_texts_are_refused() {
        assert_eq!(ports("80/icmp").unwrap_err(), r#"invalid port: "80/icmp": invalid proto: icmp"#);
        assert_eq!(ports("/tcp").unwrap_err(), r#"invalid port: "/tcp": no port specified"#);
        assert_eq!(ports("eighty").unwrap_err(), "invalid containerPort: eighty");
        assert_eq!(ports("70000").unwrap_err(), "invalid containerPort: 70000");
        assert_eq!(ports("90-80").unwrap_err(), "invalid containerPort: 90-80");
        assert_eq!(ports("host:80:90").unwrap_err(), "invalid IP address: host");
        assert_eq!(ports("x:90").unwrap_err(), "invalid hostPort: x");
        assert_eq!(
            ports("1-3:80-90").unwrap_err(),
            "invalid ranges specified for container and host Ports: 80-90 and 1-3"
        );
    }
}
