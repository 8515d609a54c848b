//! What processes are told of names: `--add-host`, `--dns`, `--dns-search`, `--dns-option`.

use std::net::IpAddr;

use engine::{ExtraHost, HostAddress, Names};

use crate::report::Failure;

/// The flags, of `build` and `run` alike.
#[derive(Debug, Default, clap::Args)]
pub(super) struct NameArgs {
    /// Line for /etc/hosts: "NAME:ADDRESS"; the address "host-gateway" is that of this machine (repeatable)
    #[arg(long = "add-host", value_name = "HOST")]
    add_hosts: Vec<String>,
    /// Name server instead of those of this machine (repeatable)
    #[arg(long = "dns", value_name = "ADDRESS")]
    servers: Vec<String>,
    /// Domain for names without dots, instead of those of this machine; "." for none (repeatable)
    #[arg(long = "dns-search", value_name = "DOMAIN")]
    search: Vec<String>,
    /// Option of resolv.conf instead of those of this machine (repeatable)
    #[arg(long = "dns-option", alias = "dns-opt", value_name = "OPTION")]
    options: Vec<String>,
}

impl NameArgs {
    pub(super) fn names(&self) -> Result<Names, Failure> {
        Ok(Names {
            extra_hosts: self.add_hosts.iter().map(|flag| host(flag)).collect::<Result<_, _>>()?,
            servers: self.servers.iter().map(|flag| server(flag)).collect::<Result<_, _>>()?,
            search: words("DNS search domain", &self.search)?,
            options: words("DNS option", &self.options)?,
        })
    }
}

/// `NAME:ADDRESS` or `NAME=ADDRESS`, a v6 address with or without brackets.
fn host(flag: &str) -> Result<ExtraHost, Failure> {
    let Some((name, address)) = flag.split_once(['=', ':']).filter(|(name, _)| !name.is_empty()) else {
        return Err(Failure::Usage(format!("bad format for add-host: {flag:?}")));
    };
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    let address = match bare {
        "host-gateway" => HostAddress::Host,
        bare => HostAddress::Address(
            bare.parse()
                .map_err(|_| Failure::Usage(format!("invalid IP address in add-host: {address:?}")))?,
        ),
    };
    Ok(ExtraHost { name: name.to_owned(), address })
}

fn server(flag: &str) -> Result<IpAddr, Failure> {
    flag.parse().map_err(|_| Failure::Usage(format!("invalid DNS server: {flag:?} is not an IP address")))
}

/// Words of a line: none of them may be empty, or end the line.
fn words(what: &str, flags: &[String]) -> Result<Vec<String>, Failure> {
    match flags.iter().find(|flag| flag.is_empty() || flag.contains(char::is_whitespace)) {
        Some(wrong) => Err(Failure::Usage(format!("invalid {what}: {wrong:?}"))),
        None => Ok(flags.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_an_address() {
        let pair = |flag| host(flag).map(|host| (host.name, host.address)).map_err(|error| error.to_string());
        let found = |name: &str, address: &str| {
            Ok((name.to_owned(), HostAddress::Address(address.parse().expect("an address"))))
        };
        assert_eq!(pair("a:10.0.0.1"), found("a", "10.0.0.1"));
        assert_eq!(pair("a=::1"), found("a", "::1"));
        assert_eq!(pair("a:[::1]"), found("a", "::1"));
        assert_eq!(pair("a:::1"), found("a", "::1"));
        assert_eq!(pair("a:host-gateway"), Ok(("a".to_owned(), HostAddress::Host)));
        assert!(pair("a").is_err());
        assert!(pair(":1.2.3.4").is_err());
        assert!(pair("a:gateway").is_err());
    }

    #[test]
    fn settings_of_name_resolution_are_words() {
        let flags = |servers: &[&str], search: &[&str], options: &[&str]| {
            let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
            let (servers, search, options) = (words(servers), words(search), words(options));
            NameArgs { servers, search, options, add_hosts: Vec::new() }.names()
        };
        let names = flags(&["10.0.0.53", "::1"], &["lan"], &["ndots:2"]).expect("all of this is right");
        assert_eq!(
            names.servers,
            ["10.0.0.53", "::1"].map(|text| text.parse::<IpAddr>().expect("an address"))
        );
        assert_eq!((names.search, names.options), (vec!["lan".to_owned()], vec!["ndots:2".to_owned()]));
        let refused = |names: Result<Names, Failure>| names.expect_err("a mistake").to_string();
        insta::assert_snapshot!(refused(flags(&["dns.lan"], &[], &[])), @r#"invalid DNS server: "dns.lan" is not an IP address"#);
        insta::assert_snapshot!(refused(flags(&[], &["a\nnameserver 1.1.1.1"], &[])), @r#"invalid DNS search domain: "a\nnameserver 1.1.1.1""#);
        insta::assert_snapshot!(refused(flags(&[], &[], &[""])), @r#"invalid DNS option: """#);
    }
}
