//! Linux capabilities (capabilities(7)) and Docker's default set.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One capability; the discriminant is the kernel's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are those of capabilities(7), which documents them")]
pub enum Capability {
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    Fowner = 3,
    Fsetid = 4,
    Kill = 5,
    Setgid = 6,
    Setuid = 7,
    Setpcap = 8,
    LinuxImmutable = 9,
    NetBindService = 10,
    NetBroadcast = 11,
    NetAdmin = 12,
    NetRaw = 13,
    IpcLock = 14,
    IpcOwner = 15,
    SysModule = 16,
    SysRawio = 17,
    SysChroot = 18,
    SysPtrace = 19,
    SysPacct = 20,
    SysAdmin = 21,
    SysBoot = 22,
    SysNice = 23,
    SysResource = 24,
    SysTime = 25,
    SysTtyConfig = 26,
    Mknod = 27,
    Lease = 28,
    AuditWrite = 29,
    AuditControl = 30,
    Setfcap = 31,
    MacOverride = 32,
    MacAdmin = 33,
    Syslog = 34,
    WakeAlarm = 35,
    BlockSuspend = 36,
    AuditRead = 37,
    Perfmon = 38,
    Bpf = 39,
    CheckpointRestore = 40,
}

use Capability as C;

/// Every capability with its name, as capabilities(7) and Docker write it behind `CAP_`.
const NAMES: [(Capability, &str); 41] = [
    (C::Chown, "CHOWN"),
    (C::DacOverride, "DAC_OVERRIDE"),
    (C::DacReadSearch, "DAC_READ_SEARCH"),
    (C::Fowner, "FOWNER"),
    (C::Fsetid, "FSETID"),
    (C::Kill, "KILL"),
    (C::Setgid, "SETGID"),
    (C::Setuid, "SETUID"),
    (C::Setpcap, "SETPCAP"),
    (C::LinuxImmutable, "LINUX_IMMUTABLE"),
    (C::NetBindService, "NET_BIND_SERVICE"),
    (C::NetBroadcast, "NET_BROADCAST"),
    (C::NetAdmin, "NET_ADMIN"),
    (C::NetRaw, "NET_RAW"),
    (C::IpcLock, "IPC_LOCK"),
    (C::IpcOwner, "IPC_OWNER"),
    (C::SysModule, "SYS_MODULE"),
    (C::SysRawio, "SYS_RAWIO"),
    (C::SysChroot, "SYS_CHROOT"),
    (C::SysPtrace, "SYS_PTRACE"),
    (C::SysPacct, "SYS_PACCT"),
    (C::SysAdmin, "SYS_ADMIN"),
    (C::SysBoot, "SYS_BOOT"),
    (C::SysNice, "SYS_NICE"),
    (C::SysResource, "SYS_RESOURCE"),
    (C::SysTime, "SYS_TIME"),
    (C::SysTtyConfig, "SYS_TTY_CONFIG"),
    (C::Mknod, "MKNOD"),
    (C::Lease, "LEASE"),
    (C::AuditWrite, "AUDIT_WRITE"),
    (C::AuditControl, "AUDIT_CONTROL"),
    (C::Setfcap, "SETFCAP"),
    (C::MacOverride, "MAC_OVERRIDE"),
    (C::MacAdmin, "MAC_ADMIN"),
    (C::Syslog, "SYSLOG"),
    (C::WakeAlarm, "WAKE_ALARM"),
    (C::BlockSuspend, "BLOCK_SUSPEND"),
    (C::AuditRead, "AUDIT_READ"),
    (C::Perfmon, "PERFMON"),
    (C::Bpf, "BPF"),
    (C::CheckpointRestore, "CHECKPOINT_RESTORE"),
];

/// A name that capabilities(7) does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown capability: {0:?}")]
pub struct UnknownCapability(String);

impl FromStr for Capability {
    type Err = UnknownCapability;

    /// Reads `CAP_NET_ADMIN` and `net_admin` alike.
    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let known = NAMES.iter().find(|(_, other)| *other == name);
        known.map(|(capability, _)| *capability).ok_or_else(|| UnknownCapability(text.to_owned()))
    }
}

/// A set of capabilities, as the kernel's bit mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CapabilitySet(u64);

impl CapabilitySet {
    /// No capability.
    pub const EMPTY: Self = Self(0);
    /// Every capability that this crate knows; the kernel's own highest one may be lower.
    pub const ALL: Self = Self((1 << (C::CheckpointRestore as u8 + 1)) - 1);
    /// What Docker leaves to root in a container.
    pub const DOCKER_DEFAULT: Self = Self::EMPTY
        .with(C::AuditWrite)
        .with(C::Chown)
        .with(C::DacOverride)
        .with(C::Fowner)
        .with(C::Fsetid)
        .with(C::Kill)
        .with(C::Mknod)
        .with(C::NetBindService)
        .with(C::NetRaw)
        .with(C::Setfcap)
        .with(C::Setgid)
        .with(C::Setpcap)
        .with(C::Setuid)
        .with(C::SysChroot);

    /// This set and `capability`.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u8)
    }

    /// This set but for `capability`.
    #[must_use]
    pub const fn without(self, capability: Capability) -> Self {
        Self(self.0 & !(1 << capability as u8))
    }

    /// Whether `capability` is in this set.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    /// The kernel's bit mask, as in `/proc/PID/status`.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_default_is_the_known_mask() {
        assert_eq!(format!("{:016x}", CapabilitySet::DOCKER_DEFAULT.bits()), "00000000a80425fb");
    }

    #[test]
    fn names_are_read_in_all_forms() {
        assert_eq!("CAP_SYS_TTY_CONFIG".parse(), Ok(Capability::SysTtyConfig));
        assert_eq!("mknod".parse(), Ok(Capability::Mknod));
        assert_eq!("X".parse::<Capability>().unwrap_err().to_string(), "unknown capability: \"X\"");
        assert!(NAMES.iter().enumerate().all(|(number, (capability, _))| *capability as usize == number));
    }
}
