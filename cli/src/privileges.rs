//! `--privileged`, `--cap-add`, `--cap-drop`, `--security-opt` and `--device` of `builder run`.

use std::path::Path;

use engine::{Capabilities, Device, DeviceAccess, Privileges};

use crate::report::Failure;

/// What a container may do more, or less, than others.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PrivilegeArgs {
    /// Give the command everything that root of the host has
    #[arg(long)]
    privileged: bool,
    /// Capability for the command, such as `NET_ADMIN`, or "ALL" (repeatable)
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Capability to take from the command: "CHOWN" or "ALL" (repeatable)
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// "no-new-privileges", "seccomp=unconfined", "systempaths=unconfined" (repeatable)
    #[arg(long = "security-opt", value_name = "OPTION")]
    security_options: Vec<String>,
    /// Device of the host for the command: "PATH[:PATH IN THE CONTAINER][:rwm]" (repeatable)
    #[arg(long = "device", value_name = "DEVICE")]
    devices: Vec<String>,
}

impl PrivilegeArgs {
    pub(crate) fn privileges(&self) -> Result<Privileges, Failure> {
        let mut privileges = Privileges {
            all: self.privileged,
            added: capabilities("CapAdd", &self.cap_add)?,
            dropped: capabilities("CapDrop", &self.cap_drop)?,
            devices: self.devices.iter().map(|flag| device(flag)).collect::<Result<_, _>>()?,
            ..Privileges::default()
        };
        for option in &self.security_options {
            apply(option, &mut privileges)?;
        }
        Ok(privileges)
    }
}

fn capabilities(what: &str, names: &[String]) -> Result<Capabilities, Failure> {
    let mut these = Vec::new();
    for name in names {
        if name.eq_ignore_ascii_case("all") {
            return Ok(Capabilities::All);
        }
        let known = name.parse().map_err(|error| Failure::Usage(format!("invalid {what}: {error}")))?;
        these.push(known);
    }
    Ok(Capabilities::These(these))
}

/// One option: a name, and mostly a value behind `=`, or `:` as old versions of docker had it.
fn apply(option: &str, privileges: &mut Privileges) -> Result<(), Failure> {
    let (name, value) =
        option.split_once(['=', ':']).map_or((option, None), |(name, value)| (name, Some(value)));
    match (name, value) {
        ("no-new-privileges", None) => privileges.no_new_privileges = true,
        ("no-new-privileges", Some(value)) => {
            let invalid = || Failure::Usage(format!("invalid --security-opt {option:?}: not a boolean"));
            privileges.no_new_privileges = parser::go::parse_bool(value).ok_or_else(invalid)?;
        }
        ("seccomp", Some("unconfined")) => privileges.all_system_calls = true,
        ("seccomp", Some("builtin")) => privileges.all_system_calls = false,
        ("seccomp", Some(_)) => {
            let why = "profiles in files are not supported: use builtin or unconfined";
            return Err(Failure::Usage(format!("invalid --security-opt {option:?}: {why}")));
        }
        ("systempaths", Some("unconfined")) => privileges.all_system_paths = true,
        // No module is in use that would confine it.
        ("apparmor", Some("unconfined")) | ("label", Some("disable")) => {}
        _ => return Err(Failure::Usage(format!("invalid --security-opt: {option:?}"))),
    }
    Ok(())
}

/// `PATH[:PATH IN THE CONTAINER][:PERMISSIONS]`.
fn device(flag: &str) -> Result<Device, Failure> {
    let wrong = |why: String| Failure::Usage(format!("invalid device {flag:?}: {why}"));
    let parts: Vec<&str> = flag.split(':').collect();
    let access = |text: &str| text.parse::<DeviceAccess>().map_err(|error| wrong(error.to_string()));
    let (source, path, access) = match parts[..] {
        [source] => (source, source, DeviceAccess::ALL),
        [source, path] if path.starts_with('/') => (source, path, DeviceAccess::ALL),
        [source, permissions] => (source, source, access(permissions)?),
        [source, path, permissions] => (source, path, access(permissions)?),
        _ => return Err(wrong("it is PATH[:PATH IN THE CONTAINER][:rwm]".to_owned())),
    };
    if !source.starts_with('/') {
        return Err(wrong(
            "it is named by its path; names of the Container Device Interface are not supported".to_owned(),
        ));
    }
    if !path.starts_with("/dev/") {
        return Err(wrong("in the container it has to lie below /dev".to_owned()));
    }
    Device::of_host(Path::new(source), Path::new(path), access).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_a_source_a_target_and_permissions() {
        let of = |flag: &str| {
            let device = device(flag).map_err(|failure| failure.to_string())?;
            Ok::<_, String>((device.path.display().to_string(), device.numbers, device.access))
        };
        let read = "r".parse().expect("it is a permission");
        assert_eq!(of("/dev/null"), Ok(("/dev/null".to_owned(), (1, 3), DeviceAccess::ALL)));
        assert_eq!(of("/dev/null:/dev/x"), Ok(("/dev/x".to_owned(), (1, 3), DeviceAccess::ALL)));
        assert_eq!(of("/dev/null:r"), Ok(("/dev/null".to_owned(), (1, 3), read)));
        assert_eq!(of("/dev/null:/dev/x:r"), Ok(("/dev/x".to_owned(), (1, 3), read)));
        for wrong in
            ["null", "/dev/null:/x", "/dev/null:/dev/x:q", "/dev/missing", "/etc/passwd:/dev/x", "a/b=c"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn security_options_are_dockers() {
        let of = |option: &str| {
            let mut privileges = Privileges::default();
            apply(option, &mut privileges).map_err(|failure| failure.to_string())?;
            Ok::<_, String>((
                privileges.no_new_privileges,
                privileges.all_system_calls,
                privileges.all_system_paths,
            ))
        };
        assert_eq!(of("no-new-privileges"), Ok((true, false, false)));
        assert_eq!(of("no-new-privileges:true"), Ok((true, false, false)));
        assert_eq!(of("no-new-privileges=false"), Ok((false, false, false)));
        assert_eq!(of("seccomp=unconfined"), Ok((false, true, false)));
        assert_eq!(of("systempaths=unconfined"), Ok((false, false, true)));
        for wrong in ["seccomp=/file.json", "seccomp", "x", "no-new-privileges=maybe", "apparmor=profile"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
