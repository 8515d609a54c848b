//! Messages: a header, a structure that the kind of message has first, and attributes, each with its length and
//! type, aligned to four bytes. Numbers have the byte order of the machine, unless the attribute's own
//! description says otherwise.

/// `struct nlmsghdr`: length, type, flags, sequence number, port.
const HEADER: usize = 16;
/// `struct nlattr`: length and type.
const ATTRIBUTE_HEADER: usize = 4;

/// What is left of an attribute's type without its flags, which say that it is nested or in network byte order.
const TYPE_MASK: u16 = 0x3fff;

/// A message that can be sent, without its sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Message {
    /// A request; `head` is the structure that this kind of message begins with.
    pub(crate) fn new(kind: u16, flags: i32, head: &[u8], attributes: Attributes) -> Self {
        let mut body = head.to_vec();
        pad(&mut body);
        body.extend(attributes.0);
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST).unwrap_or_default();
        Self { kind, flags, body }
    }

    /// Whether the kernel answers with an acknowledgement.
    pub(crate) fn is_acknowledged(&self) -> bool {
        i32::from(self.flags) & libc::NLM_F_ACK != 0
    }

    /// Appends the message to what is sent.
    pub(crate) fn write(&self, sequence: u32, to: &mut Vec<u8>) {
        let length = u32::try_from(HEADER + self.body.len()).unwrap_or(u32::MAX);
        to.extend(length.to_ne_bytes());
        to.extend(self.kind.to_ne_bytes());
        to.extend(self.flags.to_ne_bytes());
        to.extend(sequence.to_ne_bytes());
        to.extend(0_u32.to_ne_bytes());
        to.extend(&self.body);
        pad(to);
    }
}

/// Attributes of a message that is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds one with these bytes.
    #[must_use]
    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        pad(&mut self.0);
        self
    }

    /// Adds a number.
    #[must_use]
    pub(crate) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds a number with its highest byte first, as `nf_tables` has them.
    #[must_use]
    pub(crate) fn big_endian(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Adds a text, which ends with a zero.
    #[must_use]
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Adds one that consists of attributes.
    #[must_use]
    pub(crate) fn nested(self, kind: u16, inner: &Self) -> Self {
        self.bytes(kind | u16::try_from(libc::NLA_F_NESTED).unwrap_or_default(), &inner.0)
    }

    /// Adds one that consists of a structure and attributes after it.
    #[must_use]
    pub(crate) fn nested_after(self, kind: u16, head: &[u8], inner: &Self) -> Self {
        let kind = kind | u16::try_from(libc::NLA_F_NESTED).unwrap_or_default();
        self.bytes(kind, &[head, &inner.0].concat())
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A message that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received<'a> {
    /// Its type.
    pub(crate) kind: u16,
    /// That of the request.
    pub(crate) sequence: u32,
    /// What follows the header.
    pub(crate) body: &'a [u8],
}

/// The messages of one datagram. What is cut off or malformed ends them.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(number(bytes)?).ok()?;
        let message = bytes.get(..length)?;
        let received = Received {
            kind: u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?),
            sequence: number(message.get(8..)?)?,
            body: message.get(HEADER..)?,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(received)
    })
}

/// The attributes in these bytes: type, without its flags, and value.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(ATTRIBUTE_HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & TYPE_MASK, value))
    })
}

/// The value of the first attribute of this type.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(other, _)| *other == kind).map(|(_, value)| value)
}

/// The number that these bytes begin with.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let inner = Attributes::new().text(3, "ab").number(4, 7);
        let written = Attributes::new().bytes(1, &[9]).nested(2, &inner);
        let mut datagram = Vec::new();
        for sequence in [5, 6] {
            Message::new(16, libc::NLM_F_ACK, &[1, 2, 3], written.clone()).write(sequence, &mut datagram);
        }
        let received: Vec<_> = messages(&datagram).collect();
        assert_eq!(
            received.iter().map(|message| (message.kind, message.sequence)).collect::<Vec<_>>(),
            [(16, 5), (16, 6)]
        );
        let after_head = &received[1].body[4..];
        assert_eq!(attribute(after_head, 1), Some(&[9][..]));
        let inner = attribute(after_head, 2).unwrap();
        assert_eq!(attribute(inner, 3), Some(&b"ab\0"[..]));
        assert_eq!(attribute(inner, 4).and_then(number), Some(7));
        assert_eq!(attribute(inner, 5), None);
    }

    #[test]
    fn a_header_says_length_type_flags_and_sequence() {
        let mut bytes = Vec::new();
        Message::new(0x1234, libc::NLM_F_ACK, &[0xaa], Attributes::new()).write(0x0102_0304, &mut bytes);
        let expected = [
            &20_u32.to_ne_bytes()[..],
            &0x1234_u16.to_ne_bytes(),
            &5_u16.to_ne_bytes(),
            &0x0102_0304_u32.to_ne_bytes(),
            &[0; 4],
            &[0xaa, 0, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn what_is_malformed_ends_the_messages() {
        let mut whole = Vec::new();
        Message::new(1, 0, &[], Attributes::new().number(1, 1)).write(1, &mut whole);
        for length in 0..whole.len() {
            assert_eq!(messages(&whole[..length]).count(), 0);
        }
        // A length that is too small must not stop the walk at the same place for ever.
        assert_eq!(messages(&[0; 64]).count(), 0);
        assert_eq!(attributes(&[0; 64]).count(), 0);
        assert_eq!(attributes(&[200, 0, 1, 0, 5, 5]).count(), 0);
    }
}
