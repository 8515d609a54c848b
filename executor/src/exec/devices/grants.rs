//! Which devices a build may have: `--allow device`.

use super::registry::{Registered, Registry};

/// The devices that the steps of a build may ask for, besides those that the machine gives to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceGrants {
    /// All: `--allow device`.
    All,
    /// Those that these names stand for, as in `RUN --device`: `--allow device=NAME`.
    Named(Vec<String>),
}

impl Default for DeviceGrants {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl DeviceGrants {
    pub(super) fn cover(&self, registry: &Registry, device: &Registered) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| registry.find(name).contains(&device)),
        }
    }
}
