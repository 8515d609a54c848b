//! Tables, chains and rules of `nf_tables`, as far as translating addresses and keeping steps apart needs them.
//!
//! Changes are sent as one transaction: all of them are made, or none. Numbers in attributes have their highest
//! byte first. The constants are those of `linux/netfilter/nf_tables.h`; libc has only some of them.

use std::ffi::CStr;
use std::net::Ipv4Addr;

use super::message::{Attributes, Message, attribute};

/// A table of rules for IPv4 packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table<'a> {
    /// Its name, unique in the network namespace.
    pub(crate) name: &'a str,
    /// How long it stays.
    pub(crate) lifetime: Lifetime,
}

/// How long a table stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// As long as the socket by which it was made, and nobody else can change it (Linux 5.12).
    OfSocket,
    /// As long as its network namespace.
    OfNamespace,
}

/// A place in the path of packets where the rules of a chain are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Packets that come from elsewhere and go elsewhere; filters.
    Forward,
    /// Packets that leave; their addresses can be translated.
    Leaving,
}

impl Hook {
    fn number(self) -> i32 {
        match self {
            Self::Forward => libc::NF_INET_FORWARD,
            Self::Leaving => libc::NF_INET_POST_ROUTING,
        }
    }

    fn priority(self) -> i32 {
        match self {
            Self::Forward => libc::NF_IP_PRI_FILTER,
            Self::Leaving => libc::NF_IP_PRI_NAT_SRC,
        }
    }

    fn chain(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Leaving => "leaving",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Forward => "filter",
            Self::Leaving => "nat",
        }
    }
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// The link by which the packet came, by index.
    From(u32),
    /// The link by which it leaves, by index.
    To(u32),
    /// Its source address.
    Source(Ipv4Addr),
}

/// What a rule does with the packets that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Gives them the address of the link by which they leave, and takes that back in the answers.
    Masquerade,
    /// Drops them.
    Drop,
}

/// A rule at a hook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule<'a> {
    /// Where.
    pub(crate) hook: Hook,
    /// All of which must hold.
    pub(crate) matches: &'a [Match],
    /// What it does.
    pub(crate) action: Action,
}

// Attributes, by the structure that they belong to.
const TABLE_NAME: u16 = 1;
const TABLE_FLAGS: u16 = 2;
const TABLE_FLAG_OWNER: u32 = 2;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const LIST_ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const META_REGISTER: u16 = 1;
const META_KEY: u16 = 2;
const META_KEY_FROM: u32 = 4;
const META_KEY_TO: u32 = 5;
const PAYLOAD_REGISTER: u16 = 1;
const PAYLOAD_BASE: u16 = 2;
const PAYLOAD_BASE_NETWORK_HEADER: u32 = 1;
const PAYLOAD_OFFSET: u16 = 3;
const PAYLOAD_LENGTH: u16 = 4;
const COMPARE_REGISTER: u16 = 1;
const COMPARE_OPERATOR: u16 = 2;
const COMPARE_EQUAL: u32 = 0;
const COMPARE_DATA: u16 = 3;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const IMMEDIATE_REGISTER: u16 = 1;
const IMMEDIATE_DATA: u16 = 2;
/// The register of verdicts, and the first one for data.
const REGISTER_VERDICT: u32 = 0;
const REGISTER: u32 = 1;
/// Where the source address stands in the header of an IPv4 packet.
const SOURCE_OFFSET: u32 = 12;

const CREATE: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE;

/// The transaction that makes a table with these rules. A table of that name that somebody else owns makes the
/// kernel refuse it.
pub(crate) fn new_table(table: Table<'_>, rules: &[Rule<'_>]) -> Vec<Message> {
    let mut messages = vec![batch(libc::NFNL_MSG_BATCH_BEGIN)];
    let flags = match table.lifetime {
        Lifetime::OfSocket => TABLE_FLAG_OWNER,
        Lifetime::OfNamespace => 0,
    };
    let attributes = Attributes::new().text(TABLE_NAME, table.name).big_endian(TABLE_FLAGS, flags);
    messages.push(message(libc::NFT_MSG_NEWTABLE, CREATE | libc::NLM_F_EXCL, attributes));
    for hook in [Hook::Forward, Hook::Leaving] {
        if rules.iter().any(|rule| rule.hook == hook) {
            messages.push(new_chain(table, hook));
        }
    }
    messages.extend(rules.iter().map(|rule| new_rule(table, rule)));
    messages.push(batch(libc::NFNL_MSG_BATCH_END));
    messages
}

fn new_chain(table: Table<'_>, hook: Hook) -> Message {
    let place = Attributes::new()
        .big_endian(HOOK_NUMBER, hook.number().cast_unsigned())
        .big_endian(HOOK_PRIORITY, hook.priority().cast_unsigned());
    let attributes = Attributes::new()
        .text(CHAIN_TABLE, table.name)
        .text(CHAIN_NAME, hook.chain())
        .nested(CHAIN_HOOK, &place)
        .text(CHAIN_TYPE, hook.kind());
    message(libc::NFT_MSG_NEWCHAIN, CREATE, attributes)
}

fn new_rule(table: Table<'_>, rule: &Rule<'_>) -> Message {
    let mut expressions = Attributes::new();
    for part in rule.matches.iter().flat_map(|part| matching(*part)).chain([acting(rule.action)]) {
        expressions = expressions.nested(LIST_ELEMENT, &part);
    }
    let attributes = Attributes::new()
        .text(RULE_TABLE, table.name)
        .text(RULE_CHAIN, rule.hook.chain())
        .nested(RULE_EXPRESSIONS, &expressions);
    message(libc::NFT_MSG_NEWRULE, CREATE | libc::NLM_F_APPEND, attributes)
}

/// Loads what is looked at into the register, and compares that.
fn matching(part: Match) -> [Attributes; 2] {
    let meta = |key| {
        let data = Attributes::new().big_endian(META_REGISTER, REGISTER).big_endian(META_KEY, key);
        expression("meta", &data)
    };
    let (load, value) = match part {
        Match::From(link) => (meta(META_KEY_FROM), link.to_ne_bytes()),
        Match::To(link) => (meta(META_KEY_TO), link.to_ne_bytes()),
        Match::Source(address) => {
            let data = Attributes::new()
                .big_endian(PAYLOAD_REGISTER, REGISTER)
                .big_endian(PAYLOAD_BASE, PAYLOAD_BASE_NETWORK_HEADER)
                .big_endian(PAYLOAD_OFFSET, SOURCE_OFFSET)
                .big_endian(PAYLOAD_LENGTH, 4);
            (expression("payload", &data), address.octets())
        }
    };
    let compare = Attributes::new()
        .big_endian(COMPARE_REGISTER, REGISTER)
        .big_endian(COMPARE_OPERATOR, COMPARE_EQUAL)
        .nested(COMPARE_DATA, &Attributes::new().bytes(DATA_VALUE, &value));
    [load, expression("cmp", &compare)]
}

fn acting(action: Action) -> Attributes {
    match action {
        Action::Masquerade => expression("masq", &Attributes::new()),
        Action::Drop => {
            let code = Attributes::new().big_endian(VERDICT_CODE, libc::NF_DROP.cast_unsigned());
            let verdict = Attributes::new().nested(DATA_VERDICT, &code);
            let data = Attributes::new()
                .big_endian(IMMEDIATE_REGISTER, REGISTER_VERDICT)
                .nested(IMMEDIATE_DATA, &verdict);
            expression("immediate", &data)
        }
    }
}

fn expression(name: &str, data: &Attributes) -> Attributes {
    Attributes::new().text(EXPRESSION_NAME, name).nested(EXPRESSION_DATA, data)
}

/// `struct nfgenmsg`: family, version, resource, the last with its highest byte first.
fn head(family: i32, resource: i32) -> [u8; 4] {
    let [high, low] = u16::try_from(resource).unwrap_or_default().to_be_bytes();
    [u8::try_from(family).unwrap_or_default(), 0, high, low]
}

fn batch(kind: i32) -> Message {
    let kind = u16::try_from(kind).unwrap_or_default();
    Message::new(kind, 0, &head(libc::AF_UNSPEC, libc::NFNL_SUBSYS_NFTABLES), Attributes::new())
}

fn message(kind: i32, flags: i32, attributes: Attributes) -> Message {
    let kind = u16::try_from(libc::NFNL_SUBSYS_NFTABLES << 8 | kind).unwrap_or_default();
    Message::new(kind, flags, &head(libc::NFPROTO_IPV4, 0), attributes)
}

/// Asks for all chains for IPv4 packets; [`Chain::read`] reads them. Those for all families are listed by a
/// second message.
pub(crate) fn list_chains() -> [Message; 2] {
    [libc::NFPROTO_IPV4, libc::NFPROTO_INET].map(|family| {
        let kind =
            u16::try_from(libc::NFNL_SUBSYS_NFTABLES << 8 | libc::NFT_MSG_GETCHAIN).unwrap_or_default();
        Message::new(kind, libc::NLM_F_ROOT | libc::NLM_F_MATCH, &head(family, 0), Attributes::new())
    })
}

/// A chain that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Its name, after that of its table.
    pub(crate) name: String,
    /// Whether it is applied to forwarded packets, and drops those that no rule accepts.
    pub(crate) drops_forwarded: bool,
}

impl Chain {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let attributes = body.get(4..)?;
        let text = |kind| {
            let text = CStr::from_bytes_until_nul(attribute(attributes, kind)?).ok()?;
            Some(text.to_string_lossy().into_owned())
        };
        let big_endian = |value: &[u8]| Some(u32::from_be_bytes(value.get(..4)?.try_into().ok()?));
        let hook = attribute(attributes, CHAIN_HOOK).and_then(|hook| attribute(hook, HOOK_NUMBER));
        let is_forward = hook.and_then(big_endian) == Some(libc::NF_INET_FORWARD.cast_unsigned());
        let policy = attribute(attributes, CHAIN_POLICY).and_then(big_endian);
        Some(Self {
            name: format!("{} {}", text(CHAIN_TABLE)?, text(CHAIN_NAME)?),
            drops_forwarded: is_forward && policy == Some(libc::NF_DROP.cast_unsigned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_begins_and_ends_and_has_each_chain_once() {
        let rule = |hook, action| Rule { hook, matches: &[Match::To(7)], action };
        let table = Table { name: "t", lifetime: Lifetime::OfSocket };
        let rules = [rule(Hook::Leaving, Action::Masquerade), rule(Hook::Leaving, Action::Masquerade)];
        let messages = new_table(table, &rules);
        assert_eq!(messages.len(), 6);
        assert!(!messages[0].is_acknowledged() && !messages[5].is_acknowledged());
        assert!(messages[1..5].iter().all(Message::is_acknowledged));
    }

    #[test]
    fn a_match_loads_and_compares() {
        let mut bytes = Vec::new();
        let [load, compare] = matching(Match::Source(Ipv4Addr::new(10, 1, 2, 3)));
        Message::new(0, 0, &[], load).write(1, &mut bytes);
        assert_eq!(attribute(&bytes[16..], EXPRESSION_NAME), Some(&b"payload\0"[..]));
        bytes.clear();
        Message::new(0, 0, &[], compare).write(1, &mut bytes);
        let data = attribute(&bytes[16..], EXPRESSION_DATA).unwrap();
        let value = attribute(attribute(data, COMPARE_DATA).unwrap(), DATA_VALUE);
        assert_eq!(value, Some(&[10, 1, 2, 3][..]));
    }

    #[test]
    fn a_chain_that_drops_is_known_by_hook_and_policy() {
        let chain = |hook: u32, policy: u32| {
            let place = Attributes::new().big_endian(HOOK_NUMBER, hook);
            let attributes = Attributes::new()
                .text(CHAIN_TABLE, "filter")
                .text(CHAIN_NAME, "FORWARD")
                .nested(CHAIN_HOOK, &place)
                .big_endian(CHAIN_POLICY, policy);
            let mut bytes = Vec::new();
            Message::new(0, 0, &head(2, 0), attributes).write(1, &mut bytes);
            Chain::read(&bytes[16..]).unwrap()
        };
        assert_eq!(chain(2, 0), Chain { name: "filter FORWARD".to_owned(), drops_forwarded: true });
        assert!(!chain(2, 1).drops_forwarded);
        assert!(!chain(1, 0).drops_forwarded);
    }
}
